/* virtual: mail for recipients that are no users of the system. See README. */
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/store/mbox_append.h"
#include "lib/store/store.h"
#include "lib/sys/jail.h"
#include "virtual/virtual.h"

/* What no mail could be delivered with. */
static int check(const struct virtual *v, struct err *e)
{
	const struct params_virtual *p = &v->params;
	if (*p->virtual_mailbox_base && *p->virtual_mailbox_base != '/')
		return err_set(e, ERR_CONFIG, "virtual_mailbox_base = %s is not an absolute path",
		        p->virtual_mailbox_base);
	if (p->virtual_mailbox_limit > 0 &&
	        (v->core.message_size_limit == 0 || p->virtual_mailbox_limit < v->core.message_size_limit))
		return err_set(e, ERR_CONFIG, "virtual_mailbox_limit = %ld is less than message_size_limit",
		        p->virtual_mailbox_limit);
	return 0;
}

static int pre_jail(struct server *s, struct err *e)
{
	struct virtual *v = mem_alloc(sizeof(*v));
	const struct config *cfg = server_config(s);
	server_set_state(s, v);
	if (params_core_load(cfg, &v->core, e) < 0 || params_virtual_load(cfg, &v->params, e) < 0 ||
	        params_store_load(cfg, &v->store_params, e) < 0 || check(v, e) < 0)
		return -1;
	if (mbox_locks_parse("virtual_mailbox_lock", v->params.virtual_mailbox_lock, &v->locks, e) < 0)
		return -1;
	v->mailboxes = maps_open(
	        "virtual_mailbox_maps", v->core.virtual_mailbox_maps, &v->env, MAP_NO_SUBST, e);
	v->uids = maps_open("virtual_uid_maps", v->params.virtual_uid_maps, &v->env, MAP_NO_SUBST, e);
	v->gids = maps_open("virtual_gid_maps", v->params.virtual_gid_maps, &v->env, MAP_NO_SUBST, e);
	return v->mailboxes && v->uids && v->gids ? 0 : -1;
}

static int post_jail(struct server *s, struct err *e)
{
	struct virtual *v = server_state(s);
	(void)e;
	/* threads here wait for the disk, not for a processor: syncs of many mails go together */
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	v->env.proxymap = server_pool(s, v->core.proxymap_service_name, 4);
	if (server_is_system(s))
		v->postmen = server_pool(s, "auth", 50);
	v->store = store_new(&(struct store_options){
	        .host = v->core.myhostname,
	        .index_dir = v->store_params.mail_index_dir,
	});
	return 0;
}

/* Tables may lie anywhere, and in a private instance the mailboxes, too. */
static int paths(struct server *s, struct err *e)
{
	(void)e;
	return server_is_system(s) ? server_allow_read(s, "/") : server_allow_write(s, "/");
}

static void serve(struct server_conn *c)
{
	static const struct deliver_agent agent = { .relay = "virtual", .handle = virtual_handle };
	deliver_serve(c, &agent, c->state);
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "virtual",
		.client_limit = 50,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = serve,
	};
	return server_main(argc, argv, &def);
}
