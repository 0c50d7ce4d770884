/* cleanup/main.c - process entry; a connection's dialogue is cleanup_serve.c */
#include "cleanup/cleanup.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"

static const struct server_def cleanup = {
	.name = "cleanup",
	.client_limit = 200,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
	.paths = cleanup_paths,
	.pre_jail = cleanup_pre_jail,
	.post_jail = cleanup_post_jail,
	.serve = cleanup_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &cleanup);
}
