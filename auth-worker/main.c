/* auth-worker/main.c - process entry; the work is worker.c and worker_accounts.c */
#include "auth-worker/worker.h"
#include "lib/sys/jail.h"
#include "lib/sys/name_service.h"

static int pre_jail(struct server *s, struct err *e)
{
	(void)e;
	if (server_is_system(s))
		name_service_load();
	else /* its users stand in a file that auth reads: only hashes are verified here */
		server_give_up(s, JAIL_READ_FILES | JAIL_UNIX);
	return 0;
}

/* The name service's own files and sockets. */
static int paths(struct server *s, struct err *e)
{
	static const char *const read[] = { "/etc", "/run", "/var/run", "/var/lib", "/var/db" };

	if (!server_is_system(s))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(read); i++)
		if (server_allow_read(s, read[i]) < 0)
			return err_set(e, ERR_BUG, "too many paths");
	return 0;
}

static const struct server_def auth_worker = {
	.name = "auth-worker",
	.client_limit = 1,
	.arena_ceiling = 64 * 1024,
	.jail = JAIL_ACCEPT | JAIL_READ_FILES | JAIL_UNIX,
	.pre_jail = pre_jail,
	.paths = paths,
	.serve = worker_serve,
};

int main(int argc, char **argv)
{
	return server_main(argc, argv, &auth_worker);
}
