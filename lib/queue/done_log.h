/*
 * lib/queue/done_log.h - what delivery agents finished, on disk before qmgr is told.
 *
 * Layer:     queue (system calls, blocking).
 * Ownership: qmgr creates a log for each agent process, passes an O_APPEND fd with the first request, and
 *            removes the log after folding. The agent appends; nobody rewrites.
 * Errors:    done_log_append: 0, or -1 (TEMP): the agent must then not say that the recipient is done.
 * Security:  written by a less trusted process: every length is checked, a record counts only when its
 *            CRC fits, and qmgr folds it only when the nonce is that of the queue file.
 *
 * A record is written by one write(2). After a full disk a torn record may be followed by whole ones: the
 * reader searches the next magic.
 */
#ifndef QUEUE_DONE_LOG_H
#define QUEUE_DONE_LOG_H

#include "lib/queue/queue_dir.h"

enum queue_result {
	QUEUE_DELIVERED = 0,
	QUEUE_DEFERRED = 1,
	QUEUE_BOUNCED = 2,
};

/* What a delivery was, for the sender who asked for a report of success (RFC 3464 2.3.3). */
enum queue_action {
	QUEUE_ACTION_DELIVERED = 0,
	QUEUE_ACTION_RELAYED = 1,   /* to where no such report can be expected from */
	QUEUE_ACTION_EXPANDED = 2,  /* an alias of several members */
	QUEUE_ACTION_PASSED_ON = 3, /* to one address, and the request with it: nothing to report here */
};

#define DONE_LOG_DSN_MAX    15
#define DONE_LOG_TEXT_MAX   1000
#define DONE_LOG_RECORD_MAX 1152
#define DONE_LOG_NAME_MAX   63

struct done_record {
	struct sv id; /* queue id */
	uint64_t nonce;
	uint64_t offset; /* of the recipient record */
	enum queue_result result;
	enum queue_action action; /* of a delivery */
	int64_t time_us;
	struct sv dsn;  /* "2.0.0" */
	struct sv text; /* cut at DONE_LOG_TEXT_MAX */
};

/* Pure codecs. encode: octets used, 0 when id or dsn does not fit. */
size_t done_record_encode(const struct done_record *r, unsigned char out[DONE_LOG_RECORD_MAX]);
/* The first whole record in IN, junk before it skipped. 1 *r and *used; 0 none: the first *used octets can
 * never be part of one. */
MUST_USE int done_record_decode(struct sv in, struct done_record *r, size_t *used);

/* Agents: append N records, not synced: a killed process loses nothing, after a power cut the delivery key
 * decides. 0 or -1. */
MUST_USE int done_log_append(int fd, const struct done_record *r, size_t n, struct err *e);

/* qmgr: make a new done/NAME (letters, digits, '.', '-', '_'). An O_RDWR | O_APPEND fd, or -1 with E. */
MUST_USE int done_log_create(struct queue *q, const char *name, struct err *e);
/* All records of an open log. CB returns false to stop: it did not take this record. 1 read to the end; 0 stopped;
 * -1 read error. */
typedef bool (*done_log_fn)(void *ctx, const struct done_record *r);
MUST_USE int done_log_read(int fd, done_log_fn cb, void *ctx, struct err *e);
/* The same in pieces: from *AT on, which then stands behind the last record that CB took. */
MUST_USE int done_log_read_from(int fd, off_t *at, done_log_fn cb, void *ctx, struct err *e);
/* Names in done/. CB may open and remove the log it is given. 0 or -1. */
typedef void (*done_log_name_fn)(void *ctx, const char *name);
MUST_USE int done_log_list(struct queue *q, done_log_name_fn cb, void *ctx, struct err *e);
/* 1 *fd (O_RDONLY); 0 absent; -1. */
MUST_USE int done_log_open(struct queue *q, const char *name, int *fd, struct err *e);
/* 1 removed; 0 absent; -1. */
MUST_USE int done_log_remove(struct queue *q, const char *name, struct err *e);

#endif
