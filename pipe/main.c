/* pipe: mail for programs that master.cf names. See README. */
#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "lib/sys/sys.h"
#include "pipe/pipe.h"

#define ARGS_MAX     (256 * 1024)
#define QMGR_SPARE_S 180 /* qmgr waits ipc_timeout for this process's answer */

/* What the line in master.cf says that no mail could be delivered with. */
static int check(struct pipe_agent *p, const struct config *cfg, bool system, struct err *e)
{
	const struct deliver_request none = { .nrcpts = 0 };
	const struct pipe_rules rules = { p->core.recipient_delimiter, p->core.owner_request_special };
	struct sv_list argv;
	long limit = 0;
	if (pipe_expand(&p->def, &none, &rules, &p->arena, &argv, e) < 0)
		return -1;
	if (system && !p->def.has_user)
		return err_set(e, ERR_CONFIG, "user= is missing");
	if (config_transport_int(cfg, p->service, "_destination_recipient_limit", &limit, e) < 0)
		return -1;
	if ((p->def.flags & (PIPE_DELIVERED_TO | PIPE_ORIGINAL_TO)) && limit != 1)
		return err_set(e, ERR_CONFIG, "flags D and O need %s_destination_recipient_limit = 1", p->service);
	return 0;
}

static int pre_jail(struct server *s, struct err *e)
{
	struct pipe_agent *p = mem_alloc(sizeof(*p));
	const struct config *cfg = server_config(s);
	long limit = 0;
	int n = 0;
	server_set_state(s, p);
	arena_init(&p->arena, ARGS_MAX);
	char **args = server_rest_args(s, &n);
	p->service = server_service(s);
	if (params_core_load(cfg, &p->core, e) < 0 ||
	        config_transport_int(cfg, p->service, "_time_limit", &limit, e) < 0)
		return -1;
	if (pipe_args(args, n, &p->arena, &p->def, e) < 0 || check(p, cfg, server_is_system(s), e) < 0)
		return err_prefix(e, "master.cf: service %s", p->service);
	if (limit > p->core.ipc_timeout - QMGR_SPARE_S)
		limit = p->core.ipc_timeout - QMGR_SPARE_S;
	p->limit_ms = (limit < 1 ? 1 : limit) * 1000;
	return 0;
}

static int post_jail(struct server *s, struct err *e)
{
	struct pipe_agent *p = server_state(s);
	(void)e;
	p->postmen = server_pool(s, "auth", 50);
	return 0;
}

static int paths(struct server *s, struct err *e)
{
	if (sys_mkdir(PIPE_PARTIAL, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s", PIPE_PARTIAL);
	return server_allow_write(s, PIPE_PARTIAL);
}

static void serve(struct server_conn *c)
{
	static const struct deliver_agent agent = { .relay = "pipe", .handle = pipe_handle };
	deliver_serve(c, &agent, c->state);
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "pipe",
		.client_limit = 50,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = serve,
	};
	return server_main(argc, argv, &def);
}
