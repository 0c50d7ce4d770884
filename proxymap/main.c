/* proxymap/main.c - process entry; look-ups are in proxymap_serve.c, who may ask what in proxymap_allow.c */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "proxymap/proxymap.h"

static const struct server_def proxymap = {
	.name = "proxymap",
	.client_limit = 200, /* connections; each holds one look-up at a time */
	.arena_ceiling = 4 << 20,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_READ_FILES | JAIL_UNIX | JAIL_INET,
	.paths = proxymap_paths,
	.pre_jail = proxymap_pre_jail,
	.serve = proxymap_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &proxymap);
}
