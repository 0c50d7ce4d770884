#include "lib/server/server_requests.h"

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define IDLE_MS (3600 * 1000)

/* 1 the next request; else the connection is at its end. */
static int next_request(struct ipc_conn *c, struct server_conn *sc, struct ipc_frame *f, struct err *e)
{
	if (!sc)
		return ipc_recv(c, f, fiber_deadline(IDLE_MS), e);
	if (server_is_stopping(sc->server))
		return 0;
	server_conn_idle(sc, true);
	int rc = ipc_recv(c, f, fiber_deadline(IDLE_MS), e);
	server_conn_idle(sc, false);
	return rc;
}

void server_requests(const struct server_requests_def *def, void *ctx, int fd, struct server_conn *sc)
{
	struct ipc_conn *c = ipc_conn_new(fd);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct arena a;
	arena_init(&a, def->arena_max);
	while (next_request(c, sc, &f, &e) == 1) {
		arena_reset(&a);
		if (f.protocol != def->protocol || def->answer(ctx, c, &f, &a, &e) < 0) {
			log_warn("connection closed: %s", e.text[0] ? e.text : "wrong protocol");
			break;
		}
	}
	arena_free(&a);
	ipc_conn_free(c);
}
