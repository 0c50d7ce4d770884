/* pickup/main.c - process entry; submissions are pickup_serve.c, maildrop/ is pickup_scan.c */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "pickup/pickup.h"

static const struct server_def pickup = {
	.name = "pickup",
	.client_limit = 200,
	.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
	.singleton = true,
	.paths = pickup_paths,
	.pre_jail = pickup_pre_jail,
	.post_jail = pickup_post_jail,
	.serve = pickup_serve,
	.stopping = pickup_stopping,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &pickup);
}
