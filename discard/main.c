/* discard: takes all mail it is given, and drops it. See README. */
#include "lib/deliver/deliver.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"

/* The next hop is the admin's reason, for the log. */
static void handle(struct deliver_request *rq, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < rq->nrcpts; i++)
		deliver_done(rq, i, DELIVER_SENT, DSN(2, 0, 0), "%.*s", SV_ARG(rq->nexthop));
}

static const struct deliver_agent agent = { .relay = "none", .handle = handle };

static void serve(struct server_conn *c)
{
	deliver_serve(c, &agent, NULL);
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "discard",
		.client_limit = 100,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD,
		.serve = serve,
	};
	return server_main(argc, argv, &def);
}
