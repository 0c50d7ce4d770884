#include "lib/server/server.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/num.h"
#include "lib/server/server_private.h"
#include "lib/sys/clock.h"
#include "lib/sys/fault.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#ifdef MERPATI_SANITIZED
#include <sanitizer/lsan_interface.h>

/* What is suppressed stands where it comes from: lib/map/type_db.c. */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

#define EX_USAGE    64
#define EX_TEMPFAIL 75
#define EX_CONFIG   78

struct config *server_config(struct server *s)
{
	return s->cfg;
}

const char *server_service(const struct server *s)
{
	return s->args.service;
}

const char *server_generation(const struct server *s)
{
	return s->args.generation;
}

void server_set_state(struct server *s, void *state)
{
	s->state = state;
}

void *server_state(struct server *s)
{
	return s->state;
}

char **server_rest_args(struct server *s, int *n)
{
	*n = s->args.nrest;
	return s->args.rest;
}

int server_listener(struct server *s, size_t i, const char **class, const char **service)
{
	if (i >= s->args.nlisteners)
		return -1;
	*class = s->args.listeners[i].class;
	*service = s->args.listeners[i].service;
	return s->args.listeners[i].fd;
}

int server_allow_read(struct server *s, const char *path)
{
	if (s->nread == JAIL_PATHS_MAX - 1)
		return -1;
	s->jail.read_paths[s->nread++] = mem_strdup(path);
	return 0;
}

int server_allow_write(struct server *s, const char *path)
{
	if (s->nwrite == JAIL_PATHS_MAX - 1)
		return -1;
	s->jail.write_paths[s->nwrite++] = mem_strdup(path);
	return 0;
}

/* --- start -------------------------------------------------------------------------------------- */

/* main.cf, then -o, then what the skeleton itself reads. */
static int read_config(struct server *s, struct err *e)
{
	s->cfg = config_open(s->args.config_dir, e);
	if (!s->cfg || config_service(s->cfg, s->args.service, e) < 0)
		return -1;
	for (size_t i = 0; i < s->args.noverrides; i++)
		if (config_override_arg(s->cfg, s->args.overrides[i], e) < 0)
			return -1;
	if (params_core_load(s->cfg, &s->core, e) < 0)
		return -1;
	s->client_limit = s->core.client_limit > 0 ? (unsigned)s->core.client_limit : s->def->client_limit;
	if (s->client_limit == 0)
		s->client_limit = 1;
	char tag[128];
	snprintf(tag, sizeof(tag), "%s/%s", s->core.syslog_name, s->def->name);
	log_set_tag(tag);
	if (chdir(s->core.queue_directory) < 0)
		return err_sys(e, errno, "queue_directory %s", s->core.queue_directory);
	return 0;
}

/*
 * Standard error is the log file, which a user's process could fake or empty: behind the jail of a system
 * instance the log socket is all there is. (A sanitizer speaks by standard error only.)
 */
static int close_stderr(const struct server *s, struct err *e)
{
#ifndef MERPATI_SANITIZED
	if (!s->is_system || s->def->keeps_stderr || !getenv("MERPATI_LOG_FD"))
		return 0;
	int null = sys_open("/dev/null", O_RDWR, 0);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return err_sys(e, errno, "sandbox: standard error");
	sys_close(null);
#endif
	(void)s;
	(void)e;
	return 0;
}

static int close_jail(struct server *s, struct err *e)
{
	if (close_stderr(s, e) < 0 || account_assume(s, e) < 0 || (s->def->paths && s->def->paths(s, e) < 0))
		return -1;
	s->jail.allow = s->def->jail & ~s->given_up;
	s->jail.seccomp_optional = !s->core.sandbox_required;
#ifdef MERPATI_FAULTS
	fault_init();
#endif
	return jail_enter(&s->jail, e);
}

/* The control socket, and whoever listens by a descriptor that is none. */
static int check_descriptors(struct server *s, struct err *e)
{
	struct stat st;
	if (fstat(SERVER_CONTROL_FD, &st) < 0 || !S_ISSOCK(st.st_mode) || !s->args.service)
		return err_set(e, ERR_CONFIG,
			"this program is started by master (it has no control socket); see master(8)");
	for (size_t i = 0; i < s->args.nlisteners; i++) {
		int fd = s->args.listeners[i].fd;
		if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
			return err_set(e, ERR_CONFIG, "MERPATI_LISTEN: descriptor %d is no socket", fd);
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	(void)fcntl(SERVER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
	return 0;
}

static void open_log(const struct server_def *def)
{
	char tag[128];
	uint32_t fd;
	struct stat st;
	const char *z = getenv("MERPATI_LOG_FD");
	snprintf(tag, sizeof(tag), "merpati/%s", def->name);
	log_init(tag);
	if (z && num_u32(sv_z(z), &fd) == 1 && fstat((int)fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		log_to_fd((int)fd);
	}
}

/* 1 serve; 0 told to stop before there was anything to serve; -1. */
static int start(struct server *s, struct err *e)
{
	if (read_config(s, e) < 0 || account_choose(s, e) < 0)
		return -1;
	if (s->def->pre_jail && s->def->pre_jail(s, e) < 0)
		return -1;
	int rc = geteuid() == 0 && s->rights->account == RIGHTS_USER ? assign_wait(s, e) : 1;
	if (rc == 1 && close_jail(s, e) < 0)
		rc = -1;
	if (s->is_assigned)
		assign_answer(s, rc < 0 ? e->text : NULL);
	return rc;
}

static void forget(struct server *s)
{
#ifdef MERPATI_SANITIZED
	__lsan_ignore_object(s->state); /* and what hangs on it: it ends with the process */
#endif
	ipc_conn_free(s->control);
	ipc_conn_free(s->assigner);
	arena_free(&s->assigned);
	fiber_event_free(s->changed);
	fiber_event_free(s->room);
	for (size_t i = 0; i < s->nread; i++)
		free((void *)(uintptr_t)s->jail.read_paths[i]);
	for (size_t i = 0; i < s->nwrite; i++)
		free((void *)(uintptr_t)s->jail.write_paths[i]);
	server_args_free(&s->args);
	config_free(s->cfg);
	free(s);
}

int server_main(int argc, char **argv, const struct server_def *def)
{
	struct err e = ERR_INIT;
	open_log(def);
#ifdef MERPATI_FAULTS
	if (fault_sites_asked(argc, argv))
		return 0;
#endif
	struct server *s = mem_alloc(sizeof(*s));
	s->def = def;
	list_init(&s->dials);
	list_init(&s->conns);
	signal(SIGPIPE, SIG_IGN);
	if (server_args_parse(&s->args, argc, argv, &e) < 0 ||
		server_args_listen(&s->args, getenv("MERPATI_LISTEN"), &e) < 0 ||
		check_descriptors(s, &e) < 0)
		log_fatal(EX_USAGE, "%s", e.text);
	log_set_verbose(s->args.verbose);
	s->control = ipc_conn_new(SERVER_CONTROL_FD);
	s->changed = fiber_event_new();
	s->room = fiber_event_new();
	fiber_event_set(s->room);
	int rc = start(s, &e);
	if (rc < 0 && s->is_assigned) {
		/* the trouble of one user is no reason to keep this service from the others */
		log_error("not started for %.*s: %s", SV_ARG(s->identity.name), e.text);
		rc = 0;
	}
	if (rc < 0)
		log_fatal(e.cls == ERR_CONFIG ? EX_CONFIG : EX_TEMPFAIL, "%s", e.text);
	int code = rc == 0 ? 0 : fiber_main(server_life, s);
	if (s->active > 0 || s->sessions > 0)
		_exit(code); /* cut off in the middle: what they hold ends with the process, too */
	/* what the daemon itself keeps in .state ends with the process */
	forget(s);
	return code;
}

/* --- calling other services --------------------------------------------------------------------- */

/* private/queue/SERVICE, relative to the queue directory: the limit of 107 octets is never near. */
int server_connect(const char *service, int64_t deadline, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "private/queue/%s", service);
	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(e, ERR_CONFIG, "service name %s is too long", service);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket");
	for (int64_t pause = 1; sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0; pause *= 2) {
		int why = errno;
		/* the queue of the socket is full: its service is busy, or is being started */
		if (why == EAGAIN && clock_mono_ms() < deadline &&
			fiber_sleep(pause < 100 ? pause : 100) == 1)
			continue;
		sys_close(fd);
		return err_sys(e, why, "connect to %s", sa.sun_path);
	}
	return fd;
}

int server_dial(struct server *s, const char *service, int64_t deadline, struct err *e)
{
	if (s->rights && rights_dials(s->rights))
		return control_dial(s, service, deadline, e);
	return server_connect(service, deadline, e);
}

static int dial_pool(void *ctx, const char *endpoint, int64_t deadline, struct err *e)
{
	return server_dial(ctx, endpoint, deadline, e);
}

struct ipc_pool *server_pool(struct server *s, const char *service, unsigned max)
{
	return ipc_pool_new(service, max, dial_pool, s);
}
