/* dnsd/main.c - process entry; questions are answered in dnsd_query.c. */
#include "dnsd/dnsd.h"
#include "lib/sys/jail.h"

static const struct server_def dnsd = {
	.name = "dnsd",
	.client_limit = 1000,
	.stack = 96 * 1024,
	.arena_ceiling = 256 * 1024,
	.jail = JAIL_ACCEPT | JAIL_INET,
	.pre_jail = dnsd_pre_jail,
	.post_jail = dnsd_post_jail,
	.serve = dnsd_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &dnsd);
}
