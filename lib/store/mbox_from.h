/*
 * lib/store/mbox_from.h - is this line a From_ line, and what date does it bear?
 *
 * Layer:     store (pure).
 * Errors:    1 it is, with *T; 0 it is a line of a mail.
 * Security:  hostile: a line is at most MBOX_FROM_MAX octets, numbers are bounded.
 * Standards: RFC 4155; asctime(3) dates as Postfix, Dovecot and mutt write them, with or without seconds, with a
 *            zone before or behind the year; RFC 5322 dates; a date is demanded, so that "From here on" is text.
 */
#ifndef STORE_MBOX_FROM_H
#define STORE_MBOX_FROM_H

#include "lib/base/sv.h"

#define MBOX_FROM_MAX 2000

/* LINE without its line end. *LOCAL: the date names no zone; *T is as if it were UTC. */
int mbox_from_parse(struct sv line, int64_t *t, bool *local);

#endif
