/* postman/main.c - process entry; a session is postman_session.c */
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server_handed.h"
#include "lib/store/store.h"
#include "lib/sys/jail.h"
#include "postman/postman.h"

static int post_jail(struct server *s, struct err *e)
{
	struct postman *pm = mem_alloc(sizeof(*pm));
	struct params_core core;
	struct params_store store;

	server_set_state(s, pm);
	if (params_core_load(server_config(s), &core, e) < 0 ||
	        params_store_load(server_config(s), &store, e) < 0)
		return -1;
	/* threads here wait for disks and locks, not for a processor */
	fiber_pool_size(FIBER_POOL_DURABLE, 16);
	pm->store = store_new(&(struct store_options){
	        .host = core.myhostname, .index_dir = store.mail_index_dir });
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
