/*
 * lib/store/mbox_name.h - mailbox names and the files they are, below a directory of mbox files.
 *
 * Layer:     store (pure).
 * Security:  a name leads below the directory only: no component is empty or begins with '.', none ends in ".lock"
 *            or ".append".
 * Standards: "A.B" is the file A/B. A '.' of a file's name is "&ICQ-" in the mailbox's: U+2024, ONE DOT LEADER, in the
 *            modified UTF-7 of RFC 3501 5.1.3, which has no way to write the '.' itself.
 */
#ifndef STORE_MBOX_NAME_H
#define STORE_MBOX_NAME_H

#include "lib/base/buf.h"
#include "lib/store/store.h"

struct mbox_rel {
	char z[STORE_NAME_MAX + 1]; /* NUL-terminated */
};

/* The file of mailbox NAME (not INBOX). 1, or -1 (PERM). */
MUST_USE int mbox_name_rel(struct sv name, struct mbox_rel *out, struct err *e);
/* The mailbox that file FILE below mailbox PARENT ("": at the top) is: appended to nothing, into OUT. 1, or 0 none. */
int mbox_name_of(struct sv parent, struct sv file, struct buf *out);

#endif
