/*
 * lib/store/folder_name.h - mailbox names and the directories they live in (Maildir++).
 *
 * Layer:     store (pure).
 * Security:  a name that passes folder_name_check() can leave the Maildir in no way: no '/', no
 *            empty component (so no "..", and no name that hides as "." + control file).
 * Standards: Maildir++: INBOX is the Maildir itself, "A.B" the directory ".A.B" in it;
 *            RFC 3501 5.1 (names), 5.1.3 (modified UTF-7: passed through as octets).
 */
#ifndef STORE_FOLDER_NAME_H
#define STORE_FOLDER_NAME_H

#include "lib/store/store.h"

/* NUL-terminated directory name below the Maildir: "." for INBOX, else ".A.B". */
struct folder_dir {
	char z[STORE_NAME_MAX + 2];
};

/* 1 with the directory, -1 (class PERM) when NAME cannot be a mailbox. */
MUST_USE int folder_dir_of(struct sv name, struct folder_dir *out, struct err *e);
/* Mailbox name of a directory entry ("." of INBOX not included): 1, or 0 not a folder. */
int folder_name_of(struct sv dir, struct sv *name);
/* CHILD is below PARENT ("A.B" below "A"). */
bool folder_is_child(struct sv child, struct sv parent);

#endif
