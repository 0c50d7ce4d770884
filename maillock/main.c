/* maillock/main.c - process entry; a connection is maillock_serve.c */
#include <errno.h>
#include <linux/capability.h>

#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/jail.h"
#include "lib/sys/sys.h"
#include "maillock/maillock.h"

/* Without the slashes at its end. */
static char *spool_path(struct server *s, const struct params_local *p)
{
	struct sv path = sv_z(p->mail_spool_directory);
	(void)s;
	while (path.len > 1 && sv_ends(path, SV("/")))
		path = sv_upto(path, path.len - 1);
	return mem_svdup(path);
}

static int pre_jail(struct server *s, struct err *e)
{
	static const int keeps[] = { CAP_CHOWN }; /* a new mailbox is given to its user */
	struct maillock *m = mem_alloc(sizeof(*m));
	struct params_core core;
	struct params_local local;
	server_set_state(s, m);
	m->server = s;
	if (!server_is_system(s))
		return err_set(e, ERR_CONFIG, "maillock is for system instances: take its line out of master.cf");
	if (params_core_load(server_config(s), &core, e) < 0 || params_local_load(server_config(s), &local, e) < 0)
		return -1;
	m->spool.path = spool_path(s, &local);
	m->spool.stale_s = core.stale_lock_time;
	m->any_owner = !local.strict_mailbox_ownership;
	if (spool_check(m->spool.path, &m->spool.gid, e) < 0 || server_allow_write(s, m->spool.path) < 0)
		return -1;
	server_stay_root(s, m->spool.path, keeps, ARRAY_LEN(keeps));
	return 0;
}

static int post_jail(struct server *s, struct err *e)
{
	struct maillock *m = server_state(s);
	m->spool.dir = sys_open("/", O_RDONLY | O_DIRECTORY, 0);
	if (m->spool.dir < 0)
		return err_sys(e, errno, "open %s", m->spool.path);
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	m->users = users_new();
	m->auth = server_pool(s, "auth", 8);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "maillock",
		.client_limit = 4000, /* each reader of a mailbox there has one all the time */
		.stack = 64 * 1024,
		.arena_ceiling = 64 * 1024,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.singleton = true,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = maillock_serve,
	};
	return server_main(argc, argv, &def);
}
