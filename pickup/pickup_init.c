/* pickup/pickup_init.c - parameters, clients, the fiber that looks after maildrop/. */
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "pickup/pickup.h"

int pickup_paths(struct server *s, struct err *e)
{
	const char *spool = config_str(server_config(s), "queue_directory", e);
	if (!spool || server_allow_write(s, spool) < 0)
		return -1;
	/* names of users (authorized_submit_users) come from there */
	if (server_allow_read(s, "/etc") < 0)
		return -1;
	return server_allow_read(s, config_dir(server_config(s)));
}

int pickup_pre_jail(struct server *s, struct err *e)
{
	const struct config *cfg = server_config(s);
	struct pickup *p = mem_alloc(sizeof(*p));
	server_set_state(s, p);
	p->server = s;
	if (params_core_load(cfg, &p->core, e) < 0 || params_pickup_load(cfg, &p->p, e) < 0 ||
		params_sendmail_load(cfg, &p->sendmail, e) < 0)
		return -1;
	if (userlist_open("authorized_submit_users", p->sendmail.authorized_submit_users, &p->env, &p->submit_users,
		    e) < 0)
		return -1;
	htab_init(&p->uids, (struct hash_seed){ rand_u64(), rand_u64() });
	pickup_odd_init(&p->odd, (struct hash_seed){ rand_u64(), rand_u64() });
	if (queue_open(&p->queue, p->core.queue_directory, e) < 0)
		return -1;
	return queue_create_dirs(&p->queue, e);
}

int pickup_post_jail(struct server *s, struct err *e)
{
	struct pickup *p = server_state(s);
	p->cleanup = server_pool(s, p->core.cleanup_service_name, 100);
	p->wake = fiber_event_new();
	if (!fiber_spawn("maildrop", 0, pickup_scan, p))
		return err_set(e, ERR_TEMP, "no memory for a fiber");
	return 0;
}

void pickup_stopping(struct server *s)
{
	struct pickup *p = server_state(s);
	if (p->wake)
		fiber_event_set(p->wake);
}
