/* error: bounces or defers all mail it is given. See README. */
#include "error/error_agent.h"
#include "lib/config/config.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"

static const struct deliver_agent agent = { .relay = "none", .handle = error_handle };

static int pre_jail(struct server *s, struct err *e)
{
	struct error_agent *a = mem_alloc(sizeof(*a));
	const char *text = config_str(server_config(s), "error_defer_text", e);
	if (!text)
		return -1;
	a->defer = strcmp(server_service(s), "error") != 0;
	a->defer_text = sv_z(text);
	server_set_state(s, a);
	return 0;
}

static void serve(struct server_conn *c)
{
	deliver_serve(c, &agent, c->state);
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "error",
		.client_limit = 100,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD,
		.pre_jail = pre_jail,
		.serve = serve,
	};
	return server_main(argc, argv, &def);
}
