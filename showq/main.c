/* showq/main.c - process entry; the listing itself is lib/queue/queue_list.c */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "showq/showq.h"

static const struct server_def showq = {
	.name = "showq",
	.client_limit = 20,
	.jail = JAIL_ACCEPT | JAIL_READ_FILES,
	.paths = showq_paths,
	.pre_jail = showq_pre_jail,
	.serve = showq_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &showq);
}
