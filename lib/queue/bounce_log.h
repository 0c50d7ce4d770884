/*
 * lib/queue/bounce_log.h - logs in bounce/, defer/ and trace/: why recipients of a mail failed or wait.
 *
 * Layer:     queue (system calls, blocking).
 * Ownership: written by bounce(8) alone; read by it, by showq and postcat.
 * Errors:    1/0 done, -1 with E (TEMP).
 * Security:  texts come from remote hosts: control octets become '?', so that no text can make a line.
 *
 * A block of name=value lines for each recipient, then an empty line; the block's last line is
 * check=<CRC-32C, hex> of the lines before it. A block without a fitting check (torn write) does not
 * exist for the reader. Appending the same (nonce, offset) again changes nothing.
 */
#ifndef QUEUE_BOUNCE_LOG_H
#define QUEUE_BOUNCE_LOG_H

#include "lib/base/buf.h"
#include "lib/queue/queue_dir.h"

/* X(field, name in the file): texts of an entry, empty when there is none. */
#define BOUNCE_ENTRY_TEXTS(X)                     \
	X(recipient, "recipient")                 \
	X(original, "original_recipient")         \
	X(orcpt, "dsn_orcpt")                     \
	X(action, "action") /* failed delayed delivered relayed expanded */ \
	X(dsn, "status")    /* "5.1.1" */         \
	X(remote_mta, "mta_mname")                \
	X(diagnostic, "diag_text") /* reply of the remote */ \
	X(text, "reason")   /* for people */

struct bounce_entry {
#define X(field, name) struct sv field;
	BOUNCE_ENTRY_TEXTS(X)
#undef X
	uint64_t nonce;
	uint64_t offset;
	int64_t time_s;
	uint32_t notify;
};

#define BOUNCE_LOG_FIELD_MAX 2048 /* a longer value is cut */
#define BOUNCE_LOG_BLOCK_MAX (32 * 1024)

/* Pure codecs. encode: 0, or -1 at the buffer's ceiling. */
MUST_USE int bounce_entry_encode(const struct bounce_entry *en, struct buf *out);
/* The next whole block in IN; broken ones are skipped. 1 *en (views into IN) and *used; 0 no more: the
 * first *used octets need not be seen again. */
MUST_USE int bounce_entry_decode(struct sv in, struct bounce_entry *en, size_t *used);

/* Append what is not there yet to LOG (QUEUE_DIR_BOUNCE, _DEFER, _TRACE) of mail ID; fsync. 0 or -1. */
MUST_USE int bounce_log_append(struct queue *q, enum queue_name log, struct sv id,
	const struct bounce_entry *en, size_t n, struct err *e);
/* Every entry in order; CB returns false to stop. 1 read; 0 no such log; -1. Remove: queue_remove(). */
typedef bool (*bounce_log_fn)(void *ctx, const struct bounce_entry *en);
MUST_USE int bounce_log_read(
	struct queue *q, enum queue_name log, struct sv id, bounce_log_fn cb, void *ctx, struct err *e);

#endif
