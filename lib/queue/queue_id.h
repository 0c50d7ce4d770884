/*
 * lib/queue/queue_id.h - names of queued mails.
 *
 * Layer:     queue.
 * Ownership: the caller owns the arrays.
 * Security:  an id becomes part of a path: only octets of the alphabet pass queue_id_valid(), so that
 *            no id can name another directory.
 * Standards: internal; looks like Postfix's long form, so that log readers take it.
 *
 * seconds (6 digits, base 52), microseconds (4 digits, base 52), 'z', 7 random digits in base 51 (no z).
 * The last digit is chosen so that ids of one quarter of a second have one sub-directory: mails that are
 * committed together need one fsync of a directory then.
 *
 * Not an inode: an id never comes back, also when a file system gives the same inode again.
 */
#ifndef QUEUE_QUEUE_ID_H
#define QUEUE_QUEUE_ID_H

#include "lib/base/sv.h"

#define QUEUE_ID_MAX 31 /* longest id that is accepted, without NUL */
#define QUEUE_ID_MIN 6

/* A fresh id for a mail that arrived at ARRIVAL_US (microseconds since 1970). */
void queue_id_make(int64_t arrival_us, char out[QUEUE_ID_MAX + 1]);
/* Only octets of the alphabet, length within bounds. */
bool queue_id_valid(struct sv id);
/* Arrival time that ID was made from; 0 when it is not of our form. */
int64_t queue_id_time_us(struct sv id);
/* Sub-directory of ID: one of 0-9A-F. */
char queue_id_hash(struct sv id);

#endif
