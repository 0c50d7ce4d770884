#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/base/num.h"
#include "lib/queue/queue_dir.h"
#include "lib/server/layout.h"
#include "lib/sys/clock.h"
#include "lib/sys/jail.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define PID_FILE      "pid/master.pid"
#define LOCK_TRIES    10
#define LOCK_PAUSE_MS 20

/*
 * A private instance runs as its owner and never as root: what was started as root becomes the
 * owner here, for good.
 */
static int become_owner(const struct master *m, const struct generation *g, struct err *e)
{
	const char *owner = g->core.instance_owner;
	errno = 0;
	const struct passwd *pw = getpwnam(owner);
	if (!pw)
		return err_set(e, ERR_CONFIG, "%s: instance_owner = %s: no such user",
		        config_where(g->cfg, "instance_owner"), owner);
	if (pw->pw_uid == 0)
		return err_set(e, ERR_CONFIG,
		        "%s: instance_owner = %s: root cannot own an instance",
		        config_where(g->cfg, "instance_owner"), owner);
	if (geteuid() != 0) {
		if (geteuid() != pw->pw_uid)
			return err_set(e, ERR_PERM,
			        "the instance in %s belongs to %s: run this as %s or root", m->config_dir,
			        owner, owner);
		return 0;
	}
	if (initgroups(owner, pw->pw_gid) < 0 ||
	        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return err_sys(e, errno, "become %s", owner);
	return 0;
}

/* Root without instance_owner: the system's instance, each program with the account in rights.h. */
int master_choose_account(struct master *m, const struct generation *g, struct err *e)
{
	if (g->core.instance_owner[0] != '\0')
		return become_owner(m, g, e);
	m->system = geteuid() == 0;
	if (!m->system)
		return 0;
	/* root's groups of whoever typed the command are nobody's here */
	if (setgroups(0, NULL) < 0)
		return err_sys(e, errno, "leave all groups");
	return rights_own(g->core.mail_owner, &m->own, e);
}

/* --- as mail_owner, for a moment: what is his is made by him, and nothing is followed as root ------ */

static int as_mail_owner(const struct master *m, struct err *e)
{
	const struct rights_ids *mail = &m->own.ids[RIGHTS_MAIL];
	if (m->system && (setegid(mail->gid) < 0 || seteuid(mail->uid) < 0))
		return err_sys(e, errno, "become %s", mail->name);
	return 0;
}

static int as_root_again(const struct master *m, struct err *e)
{
	if (m->system && (seteuid(0) < 0 || setegid(0) < 0))
		return err_sys(e, errno, "become root again");
	return 0;
}

/* --- directories -------------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, struct err *e)
{
	if (sys_mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make directory %s", path);
	return 0;
}

/* What sockets and pid files need; the queue's own directories are lib/queue's. */
static int make_private_dirs(struct err *e)
{
	static const struct {
		const char *path;
		mode_t mode;
	} dirs[] = { { "pid", 0755 }, { "public", 0755 }, { "private", 0700 },
		{ "private/queue", 0700 }, { "private/net", 0700 }, { "private/out", 0700 },
		{ "private/auth", 0700 } };
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		mode_t old = umask(0);
		int rc = make_dir(dirs[i].path, dirs[i].mode, e);
		umask(old);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* The same by the layout of a system instance, where something wrong is a reason not to start. */
static int make_system_dirs(const struct master *m, const struct generation *g, struct err *e)
{
	struct layout l;
	struct layout_item it;
	struct buf finding;
	int rc = layout_open(&l, m->config_dir, &g->core, e);
	buf_init(&finding, 16384);
	for (size_t i = 0; rc == 0 && layout_item(&l, i, &it); i++) {
		if (it.part != LAYOUT_QUEUE)
			continue;
		int seen = layout_look(&it, &finding);
		if (seen < 0)
			rc = err_set(e, ERR_CONFIG, "%s (merpati check says it, too)", buf_z(&finding));
		if (seen == 0)
			rc = layout_make(&it, e);
	}
	buf_free(&finding);
	layout_close(&l);
	return rc;
}

static int make_dirs(const struct master *m, const struct generation *g, struct err *e)
{
	struct queue q;
	if ((m->system ? make_system_dirs(m, g, e) : make_private_dirs(e)) < 0 || queue_open(&q, ".", e) < 0)
		return -1;
	int rc = as_mail_owner(m, e);
	if (rc == 0)
		rc = queue_create_dirs(&q, e);
	if (as_root_again(m, e) < 0)
		rc = -1;
	queue_close(&q);
	return rc;
}

/* The lock ends with this process alone: the descriptor is close-on-exec. */
static int take_lock(struct master *m, struct err *e)
{
	m->lock_fd = sys_open(PID_FILE, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
	if (m->lock_fd < 0)
		return err_sys(e, errno, "open " PID_FILE);
	/* a command that looks whether we run holds the lock for a moment */
	int rc = -1;
	for (int i = 0; i < LOCK_TRIES && (rc = flock(m->lock_fd, LOCK_EX | LOCK_NB)) < 0; i++)
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	if (rc < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, errno, "lock " PID_FILE);
		char pid[32] = "";
		ssize_t n = sys_pread(m->lock_fd, pid, sizeof pid - 1, 0);
		struct sv was = n > 0 ? sv_trim(sv_n(pid, (size_t)n)) : SV("?");
		return err_set(e, ERR_TEMP, "the instance is running already: master has pid %.*s",
		        SV_ARG(was));
	}
	return 0;
}

static int write_pid(struct master *m, struct err *e)
{
	char pid[32];
	int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (sys_ftruncate(m->lock_fd, 0) < 0 || sys_pwrite_all(m->lock_fd, pid, (size_t)n, 0) < 0 ||
	        sys_fchmod(m->lock_fd, 0644) < 0)
		return err_sys(e, errno, "write " PID_FILE);
	return 0;
}

static void raise_limits(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

int master_enter(struct master *m, const struct generation *g, struct err *e)
{
	umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	raise_limits();
	m->started_ms = clock_mono_ms();
	m->started_s = clock_wall_s();
	if (chdir(g->core.queue_directory) < 0)
		return err_sys(e, errno, "%s: queue_directory = %s",
		        config_where(g->cfg, "queue_directory"), g->core.queue_directory);
	if (make_dirs(m, g, e) < 0 || take_lock(m, e) < 0 || write_pid(m, e) < 0)
		return -1;
	return control_open(m, e);
}

/* maillog_file, which is mail_owner's: opened with his rights. -1: it is not to be had, or no file. */
static int open_log_file(const struct master *m, const char *file, struct err *e)
{
	if (as_mail_owner(m, e) < 0)
		return -1;
	int fd = sys_open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0)
		err_sys(e, errno, "open %s", file);
	if (as_root_again(m, e) < 0 && fd >= 0) {
		sys_close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * Standard error goes where the log goes: a process that cannot reach postlogd yet, and postlogd
 * itself, say there why.
 */
int master_detach(struct master *m, const struct generation *g, struct err *e)
{
	if (m->foreground)
		return 0;
	const char *file = g->core.maillog_file;
	bool is_file = file[0] == '/' && !sv_starts(sv_z(file), SV("/dev/"));
	int err = is_file ? open_log_file(m, file, e) : -1;
	if (is_file && err < 0)
		return -1;
	int null = sys_open("/dev/null", O_RDWR, 0);
	if (null < 0) {
		err_sys(e, errno, "open /dev/null");
		if (err >= 0)
			sys_close(err);
		return -1;
	}
	(void)setsid();
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	        dup2(err >= 0 ? err : null, STDERR_FILENO) < 0)
		return err_sys(e, errno, "redirect standard streams");
	sys_close(null);
	if (err >= 0)
		sys_close(err);
	return 0;
}

/*
 * Master itself binds ports, gives sockets away and ends processes of other accounts. What it starts has
 * these and some more, until it changes its account: a root directory, ids, tables that only root reads, and
 * for PAM the kernel's audit trail.
 */
int master_drop_rights(const struct master *m, struct err *e)
{
	static const int own[] = { CAP_NET_BIND_SERVICE, CAP_CHOWN, CAP_KILL };
	static const int below[] = { CAP_NET_BIND_SERVICE, CAP_CHOWN, CAP_KILL, CAP_SYS_CHROOT, CAP_SETUID,
		CAP_SETGID, CAP_SETPCAP, CAP_DAC_READ_SEARCH, CAP_AUDIT_WRITE };
	return m->system ? jail_keep(own, ARRAY_LEN(own), below, ARRAY_LEN(below), e) : 0;
}

void master_tell_starter(struct master *m, const char *fmt, ...)
{
	if (m->ready_fd < 0)
		return;
	struct buf b;
	va_list ap;
	buf_init(&b, 4096);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_putc(&b, '\n');
	if (sys_write_all(m->ready_fd, buf_z(&b), b.len) < 0)
		log_warn("whoever started master does not listen: %s", strerror(errno));
	buf_free(&b);
	sys_close(m->ready_fd);
	m->ready_fd = -1;
}

void master_clean_files(struct master *m)
{
	(void)sys_unlink("private/control");
	(void)sys_unlink("pid/ports");
	if (m->control_fd >= 0)
		fiber_close(m->control_fd);
	m->control_fd = -1;
	/* the file stays, its lock goes with us: an unlink here could take another master's */
	(void)sys_ftruncate(m->lock_fd, 0);
}

/* Of no use but to the leak checker. */
void master_fini(struct master *m)
{
	for (struct list_node *n; (n = list_pop(&m->generations));) {
		struct generation *g = CONTAINER_OF(n, struct generation, link);
		if (g == m->current)
			m->current = NULL;
		generation_free(g);
	}
	if (m->current)
		generation_free(m->current);
	m->current = NULL;
	tickets_forget(m);
	fiber_event_free(m->kick);
	fiber_event_free(m->stopped);
	fiber_event_free(m->reloaded);
	sockets_close_log(m);
	log_to_fd(-1); /* the lock stays until the process is gone */
	free(m->config_dir);
}
