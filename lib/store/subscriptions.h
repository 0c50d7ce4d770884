/*
 * lib/store/subscriptions.h - the file "subscriptions" of an account, as Dovecot writes it.
 *
 * Layer:     store (pure, but for subscriptions_file_change()).
 * Security:  the user's file: lines that cannot be mailbox names are dropped, their number is bounded.
 * Standards: Dovecot: version 2 ("V<TAB>2", an empty line, names with TAB between levels) and the
 *            older form (one name a line).
 */
#ifndef STORE_SUBSCRIPTIONS_H
#define STORE_SUBSCRIPTIONS_H

#include "lib/base/buf.h"
#include "lib/store/store.h"

#define SUBSCRIPTIONS_FILE_MAX (4u << 20)

/* Call EACH for each name in TEXT. */
void subscriptions_parse(struct sv text, void (*each)(void *ctx, struct sv name), void *ctx);
/* TEXT with NAME put in or taken out, in the form that TEXT has. 1 changed, 0 it was so, -1 ceiling. */
int subscriptions_change(struct sv text, struct sv name, bool on, struct buf *out);

/* The same on the file NAME of directory ROOT (PATH, for messages), durable; blocks. 1, 0, -1 with E. */
MUST_USE int subscriptions_file_change(
	int root, const char *path, const char *file, struct sv name, bool on, struct err *e);

#endif
