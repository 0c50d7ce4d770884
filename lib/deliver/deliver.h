/*
 * lib/deliver/deliver.h - the skeleton of a delivery agent: requests of qmgr in, results out.
 *
 * Layer:     deliver (event loop).
 * Ownership: a request and all its views live until the handler returns. Its descriptor is the
 *            skeleton's; a handler that wants to keep it dups it.
 * Errors:    a request that cannot be decoded ends the connection (qmgr then tries again); the
 *            handler never fails: it gives every recipient a result. A recipient left without one
 *            is deferred (4.3.0) with a log line that says so.
 * Security:  recipients and sender are strangers' text: they reach the log through the log call,
 *            which neutralises them, and files only through the mail's own formats.
 * Order:     result -> done-log record (written before anything else can happen) -> log line;
 *            all recipients done -> results to qmgr.
 *
 *     static void handle(struct deliver_request *rq, void *ctx)
 *     {
 *             for (size_t i = 0; i < rq->nrcpts; i++)
 *                     deliver_done(rq, i, DELIVER_BOUNCED, DSN(5, 1, 2), "mail for %.*s ...", ...);
 *     }
 *     static const struct deliver_agent agent = { .relay = "none", .handle = handle };
 *     static void serve(struct server_conn *c) { deliver_serve(c, &agent, ctx); }
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/mail/dsn.h"
#include "lib/queue/done_log.h"
#include "lib/server/server.h"

enum deliver_status {
	DELIVER_NONE = 0,      /* no result yet */
	DELIVER_SENT,
	DELIVER_DEFERRED,
	DELIVER_BOUNCED,
};

/* Bits of .flags, as in deliver.def. */
enum deliver_flag {
	DELIVER_MAYBE_BEFORE = 1,
	DELIVER_REINJECTED = 2,
	DELIVER_VERIFY_ONLY = 4,
	DELIVER_SOFT_BOUNCE = 8, /* what fails for good is to wait */
	DELIVER_MORE = 16,       /* other mail waits for this destination: a connection is worth keeping */
};

#define DELIVER_TEXT_MAX 900 /* of a result; below DONE_LOG_TEXT_MAX */

struct deliver_rcpt {
	uint64_t offset;
	struct sv recipient; /* internal form */
	struct sv original;  /* as first given; may be empty */
	struct sv orcpt;
	uint32_t notify;
	/* the result */
	enum queue_action action; /* of a delivery: to be set, if at all, before deliver_done() */
	enum deliver_status status;
	bool soft; /* it failed, and waits for the sake of soft_bounce */
	struct dsn_code dsn;
	struct sv text;
	struct sv remote_mta;
	struct sv diagnostic;
};

/* How one delivery went, before it becomes a recipient's result or a part of it. */
struct deliver_outcome {
	enum deliver_status status;
	struct dsn_code dsn;
	bool logged; /* another agent did it and has logged it */
	char text[DELIVER_TEXT_MAX + 1];
};

struct deliver_state; /* the skeleton's own */

struct deliver_request {
	struct sv queue_id;
	uint64_t nonce;
	unsigned flags;         /* enum deliver_flag */
	struct sv nexthop;
	struct sv transport;
	struct sv sender;       /* internal form, empty for <> */
	int64_t arrival_us;
	int64_t active_us;
	int fd;                 /* the queue file, O_RDONLY: pread only */
	uint64_t content_offset;
	uint64_t content_size;  /* LF line ends */
	uint64_t crlf_size;
	uint32_t content_flags; /* enum queue_content_flag */
	struct sv envid;
	uint32_t ret;
	struct sv body_type;
	bool smtputf8;
	struct sv client_name, client_addr, helo_name, protocol, sasl_username;
	struct deliver_rcpt *rcpts;
	size_t nrcpts;
	struct sv suspend;      /* set: the whole destination is dead, "4.4.1 reason" */
	struct arena *arena;
	struct deliver_state *state;
};

struct deliver_agent {
	const char *relay; /* relay= in log lines while deliver_relay() was not called */
	void (*handle)(struct deliver_request *rq, void *ctx);
};

/*
 * Serve one connection of qmgr until it ends; its descriptor is closed. Between two requests it is idle
 * (server_conn_idle()): a stop or reload does not wait for a quiet qmgr. C's arena is reset there.
 */
void deliver_serve(struct server_conn *c, const struct deliver_agent *agent, void *ctx);
/* The same on FD, with ARENA. SC may be NULL: nobody is told that the connection is idle (tests). */
void deliver_connection(int fd, struct arena *arena, const struct deliver_agent *agent, void *ctx,
	struct server_conn *sc);

/*
 * The result of recipient I, once: done-log, log line. DEFERRED and BOUNCED with a code of another
 * class get the right class digit. The text is one line without the code.
 */
void deliver_done(struct deliver_request *rq, size_t i, enum deliver_status status,
	struct dsn_code dsn, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The result of recipient I is O. No log line when another agent wrote one. */
void deliver_settled(struct deliver_request *rq, size_t i, const struct deliver_outcome *o);
/* A failure of ours: deferred, whatever its class, with E's text after PREFIX. A CONFIG or BUG error
 * is logged as a warning too. */
void deliver_failed(struct deliver_request *rq, size_t i, struct dsn_code dsn, const char *prefix,
	const struct err *e);

/* For log lines: the relay in use ("mx.example[192.0.2.1]:25", "local"), and when work on this
 * connection or recipient began: delays=a/b/c/d, c is begin..connected, d connected..done. */
void deliver_relay(struct deliver_request *rq, const char *relay);
void deliver_begin(struct deliver_request *rq);
void deliver_connected(struct deliver_request *rq);

/* Is the qmgr that asked still there? If not, another one will ask again, who does not read what is done now:
 * before what cannot be taken back, an agent looks. */
bool deliver_awaited(const struct deliver_request *rq);

#endif
