/*
 * lib/queue/queue_list.h - the queue as a stream of attributes: what showq(8) sends and postqueue reads.
 *
 * Layer:     queue (system calls, blocking; one mail at a time in memory).
 * Ownership: octets are the caller's to copy during the sink's call.
 * Errors:    1 all listed; 0 the sink wanted no more; -1 a queue directory could not be read (E).
 * Standards: internal; Postfix's list protocol, which exporters read: NUL-terminated name, value, ...;
 *            an empty name ends a group. First the protocol's name, then for each mail: queue_name,
 *            queue_id, time, size, forced_expire, sender, and (recipient, reason) pairs. Of ours: next_attempt,
 *            before sender, of mail in deferred/ (Unix time, may have passed).
 */
#ifndef QUEUE_QUEUE_LIST_H
#define QUEUE_QUEUE_LIST_H

#include "lib/base/buf.h"
#include "lib/queue/queue_dir.h"

#define QUEUE_LIST_PROTOCOL "mail_queue_list_protocol"

/* Takes the octets of one mail (or of the head); false to stop. */
typedef bool (*queue_list_sink)(void *ctx, struct sv octets);

MUST_USE int queue_list(struct queue *q, queue_list_sink sink, void *ctx, struct err *e);

/* Append the octets of one mail. 1, 0 no such mail (any more) or not finished, -1 with E. */
MUST_USE int queue_list_mail(
	struct queue *q, enum queue_name n, struct sv id, struct buf *out, struct err *e);

/* The name, or value, at the start of IN (without its NUL). 1, 0 IN holds no whole one. */
int queue_list_take(struct sv *in, struct sv *out);

#endif
