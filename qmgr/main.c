/* qmgr: the scheduler of the mail queue. See README and doc/qmgr.md. */
#include "lib/server/server.h"
#include "lib/sys/jail.h"
#include "qmgr/qmgr.h"

static int pre_jail(struct server *s, struct err *e)
{
	struct qmgr *qm = mem_alloc(sizeof(*qm));
	server_set_state(s, qm);
	return qmgr_open(qm, s, e);
}

static int post_jail(struct server *s, struct err *e)
{
	return qmgr_start(server_state(s), e);
}

static int paths(struct server *s, struct err *e)
{
	(void)e;
	const struct qmgr *qm = server_state(s);
	/* names of users (authorized_flush_users) come from /etc; who asks nothing there reads nothing there */
	if (qm->flush_users &&
		(server_allow_read(s, "/etc") < 0 || server_allow_read(s, config_dir(server_config(s))) < 0))
		return -1;
	return server_allow_write(s, ".");
}

static void stopping(struct server *s)
{
	qmgr_stop(server_state(s));
}

int main(int argc, char **argv)
{
	static const struct server_def def = {
		.name = "qmgr",
		.client_limit = 1000,
		.jail = JAIL_ACCEPT | JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES,
		.singleton = true,
		.paths = paths,
		.pre_jail = pre_jail,
		.post_jail = post_jail,
		.serve = qmgr_serve,
		.stopping = stopping,
	};
	return server_main(argc, argv, &def);
}
