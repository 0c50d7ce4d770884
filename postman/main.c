/* postman/main.c - process entry; a session is postman_session.c */
#include "lib/clnt/clnt_maillock.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server_handed.h"
#include "lib/store/store.h"
#include "lib/sys/jail.h"
#include "postman/postman.h"

/* What its user may not do in mail_spool_directory is done by maillock. */
static void spool_of(const struct params_local *p, struct store_spool *out)
{
	struct sv dir = sv_z(p->mail_spool_directory);
	while (dir.len > 1 && sv_ends(dir, SV("/")))
		dir = sv_upto(dir, dir.len - 1);
	*out = (struct store_spool){ .dir = mem_svdup(dir),
		.lock = clnt_maillock_lock,
		.unlock = clnt_maillock_unlock,
		.make = clnt_maillock_make,
		.note = clnt_maillock_note,
		.ctx = clnt_maillock_new(CLNT_MAILLOCK_SOCKET) };
}

static int post_jail(struct server *s, struct err *e)
{
	struct postman *pm = mem_alloc(sizeof(*pm));
	struct params_core core;
	struct params_store store;
	struct params_local local;

	server_set_state(s, pm);
	if (params_core_load(server_config(s), &core, e) < 0 ||
	        params_store_load(server_config(s), &store, e) < 0 ||
	        params_local_load(server_config(s), &local, e) < 0)
		return -1;
	/* threads here wait for disks and locks, not for a processor */
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	pm->uses_spool = server_identity(s) != NULL;
	spool_of(&local, &pm->spool);
	pm->store = store_new(&(struct store_options){ .host = core.myhostname,
	        .index_dir = store.mail_index_dir,
	        .spool = pm->uses_spool ? &pm->spool : NULL,
	        .any_owner = !local.strict_mailbox_ownership });
	const struct server_handed_def handed = { .serve = postman_serve, .ctx = pm };

	pm->handed = server_handed_start(s, &handed, e);
	return pm->handed ? 0 : -1;
}

static int room(struct server *s, unsigned *out, struct err *e)
{
	struct params_postman p;

	if (params_postman_load(server_config(s), &p, e) < 0)
		return -1;
	*out = (unsigned)p.postman_session_limit;
	return 0;
}

static const struct server_def postman = {
	.name = "postman",
	.handed = "postman",
	.room = room,
	.jail = JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES | JAIL_EXEC,
	.post_jail = post_jail,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &postman);
}
