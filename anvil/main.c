/* anvil: connection counts and rates of SMTP clients. See README. */
#include "anvil/anvil_serve.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "anvil",
		.client_limit = 1000,
		.stack = 64 * 1024,
		.arena_ceiling = 256 * 1024,
		.jail = JAIL_ACCEPT,
			.singleton = true,
		.post_jail = anvil_post_jail,
		.serve = anvil_serve,
		.stopping = anvil_stopping,
	};
	return server_main(argc, argv, &def);
}
