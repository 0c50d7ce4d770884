/* auth-worker/main.c - process entry; the work is worker.c */
#include "auth-worker/worker.h"
#include "lib/sys/jail.h"

static const struct server_def auth_worker = {
	.name = "auth-worker",
	.client_limit = 1,
	.arena_ceiling = 64 * 1024,
	.jail = JAIL_ACCEPT,
	.serve = worker_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &auth_worker);
}
