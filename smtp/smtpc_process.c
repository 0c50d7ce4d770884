/* The process: parameters before the jail, pools behind it. */
#include "lib/fiber/fiber.h"
#include "lib/sys/jail.h"
#include "smtp/smtpc.h"
#include "smtp/smtpc_cache.h"
#include "smtp/smtpc_process.h"

static int pre_jail(struct server *s, bool lmtp, struct err *e)
{
	struct smtpc *p = mem_alloc(sizeof(*p));
	p->server = s;
	server_set_state(s, p);
	if (params_core_load(server_config(s), &p->core, e) < 0 ||
		smtpc_settings_load(server_config(s), lmtp, &p->set, e) < 0)
		return -1;
	/* tables are proxymap's; pure ones are read now */
	const struct maps_env env = { .proxymap = server_pool(s, p->core.proxymap_service_name, 20), .jailed = true };
	if (generic_open(&p->generic, lmtp ? "lmtp_generic_maps" : "smtp_generic_maps", p->set.generic_maps,
		    &p->core, &env, e) < 0 ||
		smtpc_tls_init(&p->tls, s, lmtp, &env, e) < 0)
		return -1;
	struct err why = ERR_INIT; /* a table that is wrong is told by each look-up that meets it */
	(void)!maps_check(p->generic.maps, &why);
	p->own = own_addresses_find(p->core.inet_interfaces, p->core.proxy_interfaces);
	return 0;
}

int smtpc_pre_jail_smtp(struct server *s, struct err *e)
{
	return pre_jail(s, false, e);
}

int smtpc_pre_jail_lmtp(struct server *s, struct err *e)
{
	return pre_jail(s, true, e);
}

int smtpc_post_jail(struct server *s, struct err *e)
{
	struct smtpc *p = server_state(s);
	/* as many as sessions: domains whose name servers are silent must not hold up the questions of others */
	p->dns = server_pool(s, "dns", 100);
	p->cache = smtpc_cache_new(&p->set);
	return smtpc_cache_run(p->cache, e);
}

void smtpc_serve(struct server_conn *c)
{
	static const struct deliver_agent agent = { .relay = "none", .handle = smtpc_handle };
	deliver_serve(c, &agent, c->state);
}
