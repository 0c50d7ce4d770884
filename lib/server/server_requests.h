/*
 * lib/server/server_requests.h - a connection on which one request after the other is answered.
 *
 * Layer:     server (event loop).
 * Ownership: server_requests() takes the fd. A request's frame and arena live until .answer() returns.
 * Errors:    what .answer() cannot read is one log line, and the end of that connection.
 */
#ifndef SERVER_SERVER_REQUESTS_H
#define SERVER_SERVER_REQUESTS_H

#include "lib/server/server.h"

struct server_requests_def {
	uint16_t protocol;
	size_t arena_max; /* of one request */
	/* Answer F on C: 0 or more, or -1 with E: the connection is closed. */
	int (*answer)(void *ctx, struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e);
};

/* Until the peer leaves, or the process shall stop. SC may be NULL (tests). */
void server_requests(const struct server_requests_def *def, void *ctx, int fd, struct server_conn *sc);

#endif
