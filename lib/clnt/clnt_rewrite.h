/*
 * lib/clnt/clnt_rewrite.h - client of trivial-rewrite: canonical addresses, and where recipients go.
 *
 * Layer:     clnt (event loop).
 * Ownership: clnt_rewrite_new() borrows the pool (server_pool(s, "rewrite", n)), which must outlive it.
 *            Results live in the caller's arena.
 * Errors:    1 done; -1 with E (class TEMP: our trouble, defer the mail). An answer for a single address
 *            may be a temporary failure too: look at REWRITE_TEMP in its flags.
 * Security:  the answer's lists are checked against the question: one entry for each address asked.
 *
 * A small cache (by context and address, a few seconds, bounded) saves the round trips of a mail whose
 * addresses repeat. Temporary failures are never cached. Addresses are in internal form (unquoted).
 */
#ifndef CLNT_CLNT_REWRITE_H
#define CLNT_CLNT_REWRITE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct ipc_pool;
struct clnt_rewrite;

/* flags of a resolved address (rewrite.def) */
enum rewrite_flag {
	REWRITE_TEMP = 1,      /* a table failed: try later; the other fields say nothing */
	REWRITE_LOCAL = 2,     /* in a class of which this host is the final destination */
	REWRITE_ROUTED = 4,    /* sender-specified routing: %, ! or @ in the local part */
	REWRITE_MALFORMED = 8, /* not an address that mail can go to: reject it, never deliver */
	REWRITE_BY_SENDER = 16 /* another sender's mail may go elsewhere (not for the cache) */
};

/* class of a resolved address */
enum rewrite_class {
	REWRITE_CLASS_LOCAL = 1,
	REWRITE_CLASS_VIRTUAL_ALIAS = 2,
	REWRITE_CLASS_VIRTUAL_MAILBOX = 4,
	REWRITE_CLASS_RELAY = 8,
	REWRITE_CLASS_DEFAULT = 16,
};

struct clnt_resolved {
	struct sv transport; /* master.cf service: "local", "smtp", "error" */
	struct sv nexthop;
	struct sv recipient; /* canonical, internal form */
	uint32_t flags;      /* enum rewrite_flag */
	uint32_t cls;        /* enum rewrite_class */
};

struct clnt_rewrite *clnt_rewrite_new(struct ipc_pool *pool);
void clnt_rewrite_free(struct clnt_rewrite *c); /* NULL allowed */

/*
 * Canonical forms of N addresses into *OUT (N views). CONTEXT is "local" or "remote"
 * (local_header_rewrite_clients decides which).
 */
MUST_USE int clnt_rewrite_addrs(struct clnt_rewrite *c, const char *context, const struct sv *addrs,
        size_t n, struct arena *a, struct sv **out, int64_t deadline, struct err *e);
/* The same for one address. */
MUST_USE int clnt_rewrite_addr(struct clnt_rewrite *c, const char *context, struct sv addr,
        struct arena *a, struct sv *out, int64_t deadline, struct err *e);

/* Where N addresses go, for a mail of SENDER (internal form, empty for <>), into *OUT (N entries).
 */
MUST_USE int clnt_resolve_addrs(struct clnt_rewrite *c, struct sv sender, const struct sv *addrs,
        size_t n, struct arena *a, struct clnt_resolved **out, int64_t deadline, struct err *e);
/* The same for one address. */
MUST_USE int clnt_resolve_addr(struct clnt_rewrite *c, struct sv sender, struct sv addr,
        struct arena *a, struct clnt_resolved *out, int64_t deadline, struct err *e);

#endif
