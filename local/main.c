/* local: mail for users of this instance: aliases, .forward, mailboxes. See README. */
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/store/mbox_append.h"
#include "lib/sys/jail.h"
#include "local/local.h"

static bool listed(const char *list, const char *word)
{
	struct sv rest = sv_z(list);
	while (!sv_empty(rest)) {
		struct sv item = sv_take_until(&rest, ',');
		struct sv w;
		while (!sv_empty(w = sv_take_word(&item)))
			if (sv_ieqz(w, word))
				return true;
	}
	return false;
}

/* allow_mail_to_commands and its like as enum local_source. */
static unsigned sources(const char *list)
{
	return (listed(list, "alias") ? LOCAL_FROM_ALIAS : 0u) |
	       (listed(list, "forward") ? LOCAL_FROM_FORWARD : 0u) |
	       (listed(list, "include") ? LOCAL_FROM_INCLUDE : 0u);
}

static int pre_jail(struct server *s, struct err *e)
{
	struct local *l = mem_alloc(sizeof(*l));
	const struct config *cfg = server_config(s);
	server_set_state(s, l);
	if (params_core_load(cfg, &l->core, e) < 0 || params_local_load(cfg, &l->params, e) < 0 ||
	        params_store_load(cfg, &l->store_params, e) < 0)
		return -1;
	l->delivered_to_file = listed(l->params.prepend_delivered_header, "file");
	l->delivered_to_forward = listed(l->params.prepend_delivered_header, "forward");
	l->delivered_to_command = listed(l->params.prepend_delivered_header, "command");
	l->files_from = sources(l->params.allow_mail_to_files) | LOCAL_FROM_CONFIG;
	if (mbox_locks_parse("mailbox_delivery_lock", l->params.mailbox_delivery_lock, &l->locks, e) < 0)
		return -1;
	l->propagate_from = sources(l->core.propagate_unmatched_extensions);
	l->commands_from = sources(l->params.allow_mail_to_commands) | LOCAL_FROM_CONFIG;
	l->aliases = maps_open("alias_maps", l->core.alias_maps, &l->env, 0, e);
	l->command_maps = maps_open("mailbox_command_maps", l->params.mailbox_command_maps, &l->env, 0, e);
	l->transport_maps = maps_open("mailbox_transport_maps", l->params.mailbox_transport_maps, &l->env, 0, e);
	l->fallback_maps = maps_open("fallback_transport_maps", l->params.fallback_transport_maps, &l->env, 0, e);
	if (!l->aliases || !l->command_maps || !l->transport_maps || !l->fallback_maps)
		return -1;
	l->mydestination = matchlist_open("mydestination", l->core.mydestination, 0, &l->env, e);
	return l->mydestination ? 0 : -1;
}

static int post_jail(struct server *s, struct err *e)
{
	struct local *l = server_state(s);
	struct params_qmgr queue;
	if (params_qmgr_load(server_config(s), &queue, e) < 0)
		return -1;
	/* threads here wait for the disk, not for a processor: syncs of many mails go together */
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	l->server = s;
	l->is_system = server_is_system(s);
	l->env.proxymap = server_pool(s, l->core.proxymap_service_name, 4);
	l->auth = server_pool(s, "auth", 8);
	l->postmen = server_pool(s, "auth", 50);
	l->cleanup = server_pool(s, l->core.cleanup_service_name, 20);
	l->store = store_new(&(struct store_options){
	        .host = l->core.myhostname,
	        .index_dir = l->store_params.mail_index_dir,
	        .any_owner = !l->params.strict_mailbox_ownership,
	});
	local_parts_clean(queue.maximal_queue_lifetime);
	return 0;
}

/* Tables may lie anywhere. Users' homes, too: in a private instance they are this process's own, in a system
 * instance a postman writes there. */
static int paths(struct server *s, struct err *e)
{
	(void)e;
	if (!server_is_system(s))
		return server_allow_write(s, "/");
	return server_allow_read(s, "/") < 0 ? -1 : server_allow_write(s, LOCAL_PARTIAL);
}

static void serve(struct server_conn *c)
{
	static const struct deliver_agent agent = { .relay = "local", .handle = local_handle };
	deliver_serve(c, &agent, c->state);
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "local",
		.client_limit = 50,
		.arena_ceiling = 64u << 20, /* aliases of LOCAL_ITEMS_MAX members */
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = serve,
	};
	return server_main(argc, argv, &def);
}
