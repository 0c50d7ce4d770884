/*
 * lib/clnt/clnt_cleanup.h - hand a mail to cleanup(8): smtpd, pickup, local, bounce.
 *
 * Layer:     clnt.
 * Ownership: clnt_cleanup_new() .. clnt_cleanup_free(). Views in struct clnt_cleanup_open are copied.
 *            Texts in the result live until the next clnt_cleanup_open() or _free().
 * Errors:    0 done, -1 with E (TEMP): the transaction is over, nothing was queued as far as this side
 *            knows; after a -1 of clnt_cleanup_end() the mail may have been committed (answer 451).
 * Security:  privileged fields are believed by cleanup only on its socket of class "queue".
 *
 *     struct clnt_cleanup *c = clnt_cleanup_new(pool);
 *     if (clnt_cleanup_open(c, &open, &e) == 0)            id: clnt_cleanup_id(c)
 *         clnt_cleanup_rcpt(c, &rcpt, &e); ...
 *         clnt_cleanup_data(c, octets, &e); ...            LF line ends, any piece size
 *         clnt_cleanup_end(c, &result, &e);
 *     clnt_cleanup_abort(c);                               on any other way out; no-op when none is open
 *
 * One message after another over one connection of the pool; waits at most TIMEOUT_MS a step.
 */
#ifndef CLNT_CLNT_CLEANUP_H
#define CLNT_CLNT_CLEANUP_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct ipc_pool;
struct clnt_cleanup;

/* Flags of open. */
enum clnt_cleanup_flag {
	CLEANUP_FLAG_MASK_HEADERS = 1,  /* Q: take the header as it is: nothing added, removed, rewritten */
	CLEANUP_FLAG_NO_EXPAND = 2,     /* Q: no canonical, virtual alias or BCC mapping of recipients */
	CLEANUP_FLAG_SKIP_BCC = 4,      /* Q: no always_bcc, *_bcc_maps */
	CLEANUP_FLAG_HOLD = 8,          /* Q: into hold/ */
	CLEANUP_FLAG_VERIFY = 32,       /* Q: QUEUE_MAIL_VERIFY */
	CLEANUP_FLAG_REPORT = 64,       /* Q: QUEUE_MAIL_REPORT */
	CLEANUP_FLAG_RESUBMIT = 16,     /* Q: was in this system before (local, bounce): no flow control,
	                                   no message_size_limit */
};

/* The fields of message "open" (lib/ipc/msg/cleanup.def) that a client fills in. */
struct clnt_cleanup_open {
	struct sv sender;          /* internal form; empty for <> */
	uint32_t flags;            /* enum clnt_cleanup_flag */
	bool smtputf8;
	struct sv body_type;
	struct sv envid;
	uint32_t ret;
	struct sv client_name, client_addr, client_port, helo_name, protocol;
	struct sv rewrite_context; /* "local" or "remote"; empty: "remote" */
	struct sv full_name;
	struct sv sasl_username, sasl_method;
	struct sv origin;          /* "smtpd", "pickup", "local", "bounce" */
	uint64_t parent_nonce, parent_offset;
	struct sv expansion;       /* not empty: re-injected */
	int64_t arrival_us;
	int64_t uid;               /* -1 unknown */
	uint64_t size_hint;
};

struct clnt_cleanup_rcpt {
	struct sv address, original, orcpt;
	uint32_t notify;
	bool expanded; /* Q */
};

enum clnt_cleanup_status { CLEANUP_COMMITTED = 0, CLEANUP_TEMP = 1, CLEANUP_PERM = 2 };

struct clnt_cleanup_result {
	enum clnt_cleanup_status status;
	uint32_t smtp_code;  /* 250, 451, 552, 554, ... */
	const char *dsn;     /* "2.0.0" */
	const char *text;    /* for the reply, without code and dsn */
	const char *queue_id;
};

struct clnt_cleanup *clnt_cleanup_new(struct ipc_pool *pool, int64_t timeout_ms);
void clnt_cleanup_free(struct clnt_cleanup *c); /* aborts; NULL allowed */
int clnt_cleanup_open(struct clnt_cleanup *c, const struct clnt_cleanup_open *o, struct err *e);
bool clnt_cleanup_is_open(const struct clnt_cleanup *c);
const char *clnt_cleanup_id(const struct clnt_cleanup *c); /* "" before open */
int clnt_cleanup_rcpt(struct clnt_cleanup *c, const struct clnt_cleanup_rcpt *r, struct err *e);
int clnt_cleanup_data(struct clnt_cleanup *c, struct sv octets, struct err *e);
/* 0 with the verdict in *out (all three kinds); -1: connection lost or time-out. Closes the transaction. */
int clnt_cleanup_end(struct clnt_cleanup *c, struct clnt_cleanup_result *out, struct err *e);
/* Drop what is open: nothing stays in the queue. */
void clnt_cleanup_abort(struct clnt_cleanup *c);

#endif
