/*
 * lib/clnt/clnt_bounce.h - client of bounce, defer and trace: per-mail logs and notifications.
 *
 * Layer:     clnt (event loop).
 * Ownership: borrows the pool (server_pool(s, "bounce", n)); borrows all views during the call.
 * Errors:    1 done, and durable where the service promises it; -1 with E (TEMP): nothing may be
 *            concluded, try again later. All calls are idempotent, so trying again is safe.
 * Callers:   qmgr alone (cleanup and agents never write these logs).
 */
#ifndef CLNT_CLNT_BOUNCE_H
#define CLNT_CLNT_BOUNCE_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct ipc_pool;

/* What happened to one recipient. */
struct clnt_bounce_item {
	uint64_t offset;      /* of the recipient record: its identity within the mail */
	struct sv recipient;  /* final, internal form */
	struct sv original;   /* as first given */
	struct sv orcpt;      /* "rfc822;user@x", or empty */
	uint32_t notify;      /* 0 default; 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY */
	struct sv action;     /* failed delayed delivered relayed expanded */
	struct sv dsn;        /* "5.1.1" */
	struct sv text;       /* reason for people, one line */
	struct sv remote_mta; /* empty when none */
	struct sv diagnostic; /* reply of the remote, empty when none */
};

/* What a notification says about the mail as a whole. */
struct clnt_bounce_mail {
	struct sv queue_id;
	uint64_t nonce;
	struct sv sender;
	struct sv envid;
	uint32_t ret; /* 0 none, 1 FULL, 2 HDRS */
	bool smtputf8;
	struct sv body_type;
	uint64_t content_offset;
	uint64_t content_size;
	int64_t arrival_us;
};

/* Append N records to the log "bounce", "defer" or "trace" of a mail. A record that is there already,
 * by (queue id, nonce, offset), is kept as it is. */
MUST_USE int clnt_bounce_append(struct ipc_pool *pool, const char *log, struct sv queue_id,
        uint64_t nonce, const struct clnt_bounce_item *items, size_t n, int64_t time_s,
        int64_t deadline, struct err *e);

/* Send the notification KIND ("bounce", "delay", "trace", "verify") made of the log and remove that log
 * ("delay" keeps the defer log). QUEUE_FD is the queue file, O_RDONLY, still the caller's. An
 * absent log is done. */
MUST_USE int clnt_bounce_flush(struct ipc_pool *pool, const char *kind,
        const struct clnt_bounce_mail *m, int queue_fd, int64_t deadline, struct err *e);

/* Remove a log without a notification. An absent log is done. */
MUST_USE int clnt_bounce_forget(struct ipc_pool *pool, const char *log, struct sv queue_id,
        int64_t deadline, struct err *e);

#endif
