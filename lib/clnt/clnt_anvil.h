/*
 * lib/clnt/clnt_anvil.h - client of anvil: how many connections and events a client address has.
 *
 * Layer:     clnt (event loop).
 * Ownership: borrows the pool (server_pool(s, "anvil", n)) and the views.
 * Errors:    1 counted; -1 anvil did not answer (E): go on without limits, mail comes first.
 */
#ifndef CLNT_CLNT_ANVIL_H
#define CLNT_CLNT_ANVIL_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct ipc_pool;

/* kinds of anvil.def */
enum clnt_anvil_kind {
	CLNT_ANVIL_CONNECT = 1,
	CLNT_ANVIL_DISCONNECT = 2,
	CLNT_ANVIL_MESSAGE = 3,
	CLNT_ANVIL_RECIPIENT = 4,
	CLNT_ANVIL_NEWTLS = 5,
	CLNT_ANVIL_AUTH = 6,
};

struct clnt_anvil_counts {
	uint32_t concurrency; /* connections open now */
	uint32_t rate;        /* events of that kind in the last anvil_rate_time_unit */
};

MUST_USE int clnt_anvil_event(struct ipc_pool *anvil, enum clnt_anvil_kind kind, struct sv service,
	struct sv address, struct clnt_anvil_counts *out, int64_t deadline, struct err *e);

#endif
