/* postlogd: the one writer of maillog_file. See README. */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "postlogd/postlogd_serve.h"

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "postlogd",
		.jail = JAIL_READ_FILES | JAIL_WRITE_FILES | JAIL_UNIX,
		.singleton = true,
		.keeps_stderr = true,
		.paths = postlogd_paths,
		.pre_jail = postlogd_pre_jail,
		.post_jail = postlogd_post_jail,
		.stopping = postlogd_stopping,
	};
	return server_main(argc, argv, &def);
}
