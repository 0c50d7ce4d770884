/* trivial-rewrite: canonical addresses, and where recipients go. See README. */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"
#include "trivial-rewrite/rewrite_serve.h"

static int pre_jail(struct server *s, struct err *e)
{
	struct resolve_tables *t = mem_alloc(sizeof(*t));
	server_set_state(s, t);
	return resolve_tables_open(t, server_config(s), e);
}

/* Tables that may hang are proxymap's; the lists were opened before there was a loop. */
static int post_jail(struct server *s, struct err *e)
{
	struct resolve_tables *t = server_state(s);
	(void)e;
	t->env.proxymap = server_pool(s, t->core.proxymap_service_name, 4);
	return 0;
}

static int paths(struct server *s, struct err *e)
{
	(void)e;
	return server_allow_read(s, "/");
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "trivial-rewrite",
		.client_limit = 200,
		.jail = JAIL_ACCEPT | JAIL_UNIX | JAIL_READ_FILES,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = rewrite_serve,
	};
	return server_main(argc, argv, &def);
}
