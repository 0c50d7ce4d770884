#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "lib/config/environ.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define FD_CONTROL 3
#define ARGS_MAX   512
#define ENV_MAX    64

/* Everything the child needs, made before fork: after it only system calls are made. */
struct launch {
	struct arena arena;
	const char *argv[ARGS_MAX];
	size_t argc;
	const char *envp[ENV_MAX];
	size_t envc;
	int fds[SOCKS_A_SERVICE + 4]; /* number I becomes descriptor FD_CONTROL + I */
	size_t nfds;
};

int spawn_take_lock(const struct msvc *svc, bool *busy, struct err *e)
{
	char path[256];
	*busy = false;
	if (snprintf(path, sizeof path, "pid/%s.lock", svc->cf->name) >= (int)sizeof path)
		return err_set(e, ERR_CONFIG, "the service name %s is too long", svc->cf->name);
	/* the child inherits it: a descriptor to hold, not to write by */
	int fd = sys_open(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	*busy = errno == EWOULDBLOCK;
	err_sys(e, errno, "lock %s", path);
	sys_close(fd);
	return -1;
}

static void add_arg(struct launch *l, const char *a)
{
	if (l->argc < ARGS_MAX - 1)
		l->argv[l->argc++] = a;
	else
		l->arena.exhausted = true;
}

static void add_env(struct launch *l, const char *name, const char *value)
{
	if (value && l->envc < ENV_MAX - 1)
		l->envp[l->envc++] = arena_printf(&l->arena, "%s=%s", name, value);
}

static void make_arguments(struct launch *l, const struct master *m, const struct msvc *svc)
{
	const struct service *cf = svc->cf;
	add_arg(l, cf->command);
	add_arg(l, "-c");
	add_arg(l, m->config_dir);
	add_arg(l, "-n");
	add_arg(l, cf->name);
	add_arg(l, "-g");
	add_arg(l, svc->gen->number_z);
	/* those that are always there need not leave and come back; the surplus of a busy hour does
	 */
	if (service_processes(svc) < svc->keep || service_processes(svc) < svc->keep_free) {
		add_arg(l, "-o");
		add_arg(l, "max_idle=0");
	}
	for (size_t i = 0; i < cf->noptions; i++) {
		add_arg(l, "-o");
		add_arg(l, arena_printf(
		                   &l->arena, "%s=%s", cf->options[i].name, cf->options[i].value));
	}
	for (size_t i = 0; i < cf->argc; i++)
		add_arg(l, cf->argv[i]);
}

/* import_environment. MAIL_CONFIG and PATH are master's own words. */
static int import(void *arg, struct sv name, struct sv value)
{
	struct launch *l = arg;
	if (sv_eqz(name, "MAIL_CONFIG") || sv_eqz(name, "PATH") || sv_starts(name, SV("MERPATI_")))
		return 0;
	if (l->envc == ENV_MAX - 1)
		return -1;
	l->envp[l->envc++] = arena_printf(&l->arena, "%.*s=%.*s", SV_ARG(name), SV_ARG(value));
	return 0;
}

/* Only import_environment and what is named here passes from whoever started master. */
static void make_environment(
        struct launch *l, const struct master *m, const struct msvc *svc, size_t log_at)
{
	static const char *const passed[] = {
		"XDG_RUNTIME_DIR",
		"ASAN_OPTIONS",
		"UBSAN_OPTIONS",
		"LSAN_OPTIONS",
#ifdef MERPATI_FAULTS
		"MERPATI_FAULT",
		"MERPATI_FAULT_ONCE",
		"MERPATI_FAULT_REPORT",
		"MERPATI_CLOCK_SCALE",
		"MERPATI_CLOCK_SHIFT",
		"MERPATI_CLOCK_FILE",
#endif
	};
	add_env(l, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	add_env(l, "MAIL_CONFIG", m->config_dir);
	struct err e = ERR_INIT;
	if (environ_each(svc->gen->core.import_environment, environ_own, import, l, &e) < 0)
		log_warn("import_environment: %s", e.text);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		add_env(l, passed[i], getenv(passed[i]));
	struct buf b;
	buf_init(&b, 16 * 1024);
	for (size_t i = 0; i < svc->nsocks; i++)
		buf_printf(&b, "%s%s:%s:%zu", i ? " " : "", table_class_name(svc->socks[i]->cls),
		        svc->socks[i]->name, FD_CONTROL + 1 + i);
	if (msvc_is_postlogd(svc) && m->log_reader >= 0)
		buf_printf(&b, " pair:%s:%zu", svc->cf->name, FD_CONTROL + 1 + svc->nsocks);
	add_env(l, "MERPATI_LISTEN", buf_z(&b));
	if (log_at) {
		buf_reset(&b);
		buf_printf(&b, "%zu", log_at);
		add_env(l, "MERPATI_LOG_FD", buf_z(&b));
	}
	buf_free(&b);
	for (size_t i = 0; i < l->envc; i++)
		if (!l->envp[i])
			l->arena.exhausted = true;
}

/* In the child: give every descriptor its number; the rest is close-on-exec. */
static void place_fds(struct launch *l)
{
	int above = FD_CONTROL + (int)l->nfds;
	for (size_t i = 0; i < l->nfds; i++) {
		l->fds[i] = fcntl(l->fds[i], F_DUPFD_CLOEXEC, above);
		if (l->fds[i] < 0)
			_exit(EX_OSERR);
	}
	for (size_t i = 0; i < l->nfds; i++)
		if (dup2(l->fds[i], FD_CONTROL + (int)i) < 0)
			_exit(EX_OSERR);
}

static void run_child(struct launch *l, const char *program) NORETURN;
static void run_child(struct launch *l, const char *program)
{
	sigset_t none;
	place_fds(l);
	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execve(program, (char *const *)(uintptr_t)l->argv, (char *const *)(uintptr_t)l->envp);
	static const char text[] =
	        "fatal: master: a program of daemon_directory cannot be executed\n";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(EX_OSERR);
	_exit(EX_OSFILE);
}

int spawn_child(struct master *m, struct msvc *svc, int lock_fd, struct err *e)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "control socket");
	struct launch l = { .nfds = 0 };
	arena_init(&l.arena, 1024 * 1024);
	l.fds[l.nfds++] = pair[1];
	for (size_t i = 0; i < svc->nsocks; i++)
		l.fds[l.nfds++] = svc->socks[i]->fd;
	if (msvc_is_postlogd(svc) && m->log_reader >= 0)
		l.fds[l.nfds++] = m->log_reader;
	size_t log_at = 0;
	if (m->log_fd >= 0) {
		log_at = FD_CONTROL + l.nfds;
		l.fds[l.nfds++] = m->log_fd;
	}
	if (lock_fd >= 0)
		l.fds[l.nfds++] = lock_fd;
	make_arguments(&l, m, svc);
	make_environment(&l, m, svc, log_at);
	pid_t pid = -1;
	if (l.arena.exhausted)
		err_set(e, ERR_CONFIG, "%s, line %u: too many or too long arguments",
		        svc->gen->cf.file, svc->cf->line);
	else if ((pid = fork()) == 0)
		run_child(&l, svc->program);
	else if (pid < 0)
		err_sys(e, errno, "fork");
	arena_free(&l.arena);
	sys_close(pair[1]);
	if (pid < 0) {
		sys_close(pair[0]);
		return -1;
	}
	if (lock_fd >= 0)
		sys_close(lock_fd); /* the child's copy holds the lock from now on */
	svc->started++;
	log_debug("service %s: started %s, pid %d", svc->cf->name, svc->cf->command, (int)pid);
	return child_new(m, svc, pid, pair[0], e);
}
