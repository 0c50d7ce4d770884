/* master/main.c - process entry: arguments, configuration, owner, lock; then the event loop. */
#include <sysexits.h>

#include "lib/base/num.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

static int exit_code(const struct err *e)
{
	return e->cls == ERR_CONFIG ? EX_CONFIG : e->cls == ERR_PERM ? EX_NOPERM : EX_TEMPFAIL;
}

/* The reason to whoever started us, else to standard error. */
static int fail(struct master *m, const struct err *e)
{
	if (m->ready_fd >= 0)
		master_tell_starter(m, "failed: %s", e->text);
	else
		log_error("%s", e->text);
	master_fini(m);
	return exit_code(e);
}

static void read_arguments(int argc, char **argv, struct master *m)
{
	const char *dir = config_dir_default();
	int opt;
	while ((opt = getopt(argc, argv, "+c:d")) != -1) {
		if (opt == 'c')
			dir = optarg;
		else if (opt == 'd')
			m->foreground = true;
		else
			log_fatal(EX_USAGE, "usage: master [-c config_dir] [-d]");
	}
	if (optind < argc)
		log_fatal(EX_USAGE, "usage: master [-c config_dir] [-d]");
	m->config_dir = realpath(dir, NULL);
	if (!m->config_dir)
		log_fatal(EX_CONFIG, "no such directory: %s", dir);
	uint32_t fd;
	const char *ready = getenv("MERPATI_READY_FD");
	if (ready && num_u32(sv_z(ready), &fd) == 1 && fd > 2 && fcntl((int)fd, F_GETFD) >= 0) {
		m->ready_fd = (int)fd;
		(void)fcntl(m->ready_fd, F_SETFD, FD_CLOEXEC);
	}
}

int main(int argc, char **argv)
{
	struct master m = { .lock_fd = -1,
		.control_fd = -1,
		.log_fd = -1,
		.log_reader = -1,
		.ready_fd = -1,
		.next_number = 1,
		.cores = 1 };
	struct err e = ERR_INIT;
	list_init(&m.generations);
	list_init(&m.sockets);
	list_init(&m.rings);
	log_init("merpati/master");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	m.cores = cores < 1 ? 1 : cores > 64 ? 64 : (unsigned)cores;
	read_arguments(argc, argv, &m);
	if (generation_read(&m, &m.current, &e) < 0)
		return fail(&m, &e);
	if (master_choose_account(&m, m.current, &e) < 0 || master_enter(&m, m.current, &e) < 0 ||
	        master_detach(&m, m.current, &e) < 0 || master_drop_rights(&m, &e) < 0)
		return fail(&m, &e);
	int code = fiber_main(master_supervise, &m);
	master_fini(&m);
	return code;
}
