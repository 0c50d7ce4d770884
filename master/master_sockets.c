#include <errno.h>
#include <sys/un.h>

#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

/*
 * Paths are relative to the queue directory, where master stands: sun_path holds 107 octets and
 * an instance may live deep in a tree.
 */
static int unix_address(const char *path, struct sockaddr_un *sa, struct err *e)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (sv_copyz(sv_z(path), sa->sun_path, sizeof sa->sun_path) < 0)
		return err_set(e, ERR_CONFIG,
		        "socket name %s is longer than %zu octets: shorten "
		        "the service name in master.cf",
		        path, sizeof sa->sun_path - 1);
	return 0;
}

int sock_unix_listen(const char *path, gid_t gid, mode_t mode, bool dgram, struct err *e)
{
	struct sockaddr_un sa;
	if (unix_address(path, &sa, e) < 0)
		return -1;
	int fd = socket(
	        AF_UNIX, (dgram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket for %s", path);
	/* a socket that a killed master left; no other master runs, the lock says so */
	if (sys_unlink(path) < 0 && errno != ENOENT) {
		err_sys(e, errno, "remove the old socket %s", path);
		goto fail;
	}
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		err_sys(e, errno, "bind %s", path);
		goto fail;
	}
	if ((gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0) || chmod(path, mode) < 0 ||
	        (!dgram && listen(fd, 1024) < 0)) {
		err_sys(e, errno, "listen on %s", path);
		goto fail;
	}
	return fd;
fail:
	sys_close(fd);
	return -1;
}

int sock_unix_connect(const char *path, bool dgram, struct err *e)
{
	struct sockaddr_un sa;
	if (unix_address(path, &sa, e) < 0)
		return -1;
	int fd = socket(
	        AF_UNIX, (dgram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "socket for %s", path);
	if (sys_connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		err_sys(e, errno, "connect to %s", path);
		sys_close(fd);
		return -1;
	}
	return fd;
}

struct msock *sock_find(struct master *m, const char *key)
{
	LIST_FOREACH (n, &m->sockets) {
		struct msock *s = CONTAINER_OF(n, struct msock, link);
		if (!s->closing && strcmp(s->key, key) == 0)
			return s;
	}
	return NULL;
}

struct msock *sock_new(
        struct master *m, enum sock_class cls, const char *name, const char *key, const char *label)
{
	struct msock *s = mem_alloc(sizeof *s);
	s->master = m;
	s->cls = cls;
	s->name = mem_strdup(name);
	s->key = mem_strdup(key);
	s->label = mem_strdup(label);
	s->fd = -1;
	return s;
}

void sock_free(struct msock *s)
{
	if (s->fd >= 0)
		fiber_close(s->fd);
	if (s->path)
		(void)sys_unlink(s->path);
	if (s->watched)
		fiber_event_free(s->watched);
	free(s->name);
	free(s->key);
	free(s->label);
	free(s->path);
	free(s);
}

int sock_attach(struct msvc *svc, struct msock *s, struct err *e)
{
	if (svc->nsocks >= SOCKS_A_SERVICE)
		return err_set(e, ERR_CONFIG, "service %s has more than %d listening addresses",
		        svc->cf->name, SOCKS_A_SERVICE);
	svc->socks[svc->nsocks++] = s;
	return 0;
}

/* One unix socket of SVC: the one that is bound already, or a new one in FRESH. */
static int unix_socket(struct master *m, struct msvc *svc, enum sock_class cls, const char *name,
        struct list *fresh, struct err *e)
{
	static const char *const dirs[] = {
		[CLASS_PUBLIC] = "public",
		[CLASS_QUEUE] = "private/queue",
		[CLASS_NET] = "private/net",
		[CLASS_OUT] = "private/out",
		[CLASS_AUTH] = "private/auth",
	};
	char *path = arena_printf(&svc->gen->cf.arena, "%s/%s", dirs[cls], name);
	bool dgram = svc->cf->type == SERVICE_UNIX_DGRAM;
	char *key = arena_printf(
	        &svc->gen->cf.arena, "%s %s", dgram ? "dgram" : "unix", path ? path : "");
	if (!path || !key)
		return err_set(e, ERR_CONFIG, "master.cf is too large");
	struct msock *s = sock_find(m, key);
	if (!s) {
		/* private/queue: mail_owner's daemons connect by themselves */
		bool shared = cls == CLASS_QUEUE && m->system;
		mode_t mode = cls == CLASS_PUBLIC ? 0666 : shared ? 0660 : 0600;
		gid_t gid = shared ? m->own.ids[RIGHTS_MAIL].gid : (gid_t)-1;
		int fd = sock_unix_listen(path, gid, mode, dgram, e);
		if (fd < 0)
			return -1;
		s = sock_new(m, cls, name, key, path);
		s->path = mem_strdup(path);
		s->dgram = dgram;
		s->fd = fd;
		list_push(fresh, &s->link);
	}
	return sock_attach(svc, s, e);
}

int sockets_make(struct master *m, struct msvc *svc, struct list *fresh, struct err *e)
{
	const struct service *cf = svc->cf;
	if (cf->type == SERVICE_INET)
		return inet_sockets(m, svc, fresh, e);
	if (strchr(cf->name, '/') || cf->name[0] == '.')
		return err_set(e, ERR_CONFIG,
		        "%s, line %u: the service name %s may hold no '/' and "
		        "not begin with '.'",
		        svc->gen->cf.file, cf->line, cf->name);
	if (cf->type == SERVICE_UNIX_DGRAM)
		return unix_socket(
		        m, svc, cf->is_private ? CLASS_QUEUE : CLASS_PUBLIC, cf->name, fresh, e);
	if (!cf->is_private && unix_socket(m, svc, CLASS_PUBLIC, cf->name, fresh, e) < 0)
		return -1;
	for (enum sock_class c = CLASS_QUEUE; c <= CLASS_AUTH; c++)
		if (table_has_socket(svc->facts, c) && unix_socket(m, svc, c, cf->name, fresh, e) < 0)
			return -1;
	const char *extra = svc->facts->extra_public;
	return extra ? unix_socket(m, svc, CLASS_PUBLIC, extra, fresh, e) : 0;
}

/*
 * Look out for connections while the service has no process with room. Level-triggered: what made
 * us wake may be taken by a child meanwhile, so the supervisor decides again.
 */
static void sock_watch(void *arg)
{
	struct msock *s = arg;
	while (fiber_event_wait(s->watched, FIBER_FOREVER) == 1) {
		if (fiber_wait_fd(s->fd, FIBER_READ, FIBER_FOREVER) < 0)
			break;
		if (!s->svc || s->closing)
			break;
		fiber_event_clear(s->watched);
		s->svc->demand = true;
		master_kick(s->master);
	}
	list_remove(&s->master->sockets, &s->link);
	sock_free(s);
}

/* Close S: its fiber is told and does it. */
static void sock_close(struct msock *s)
{
	s->closing = true;
	s->svc = NULL;
	if (s->path) /* at once: the name may be bound again before the fiber runs */
		(void)sys_unlink(s->path);
	free(s->path);
	s->path = NULL;
	if (s->fiber) {
		fiber_cancel(s->fiber);
		return;
	}
	list_remove(&s->master->sockets, &s->link);
	sock_free(s);
}

void sockets_adopt(struct master *m, struct generation *g, struct list *fresh)
{
	LIST_FOREACH (n, &m->sockets)
		CONTAINER_OF(n, struct msock, link)->svc = NULL;
	for (struct list_node *n; (n = list_pop(fresh));)
		list_push(&m->sockets, n);
	for (size_t i = 0; i < g->count; i++)
		for (size_t j = 0; j < g->services[i].nsocks; j++)
			g->services[i].socks[j]->svc = &g->services[i];
	LIST_FOREACH_SAFE (n, &m->sockets) {
		struct msock *s = CONTAINER_OF(n, struct msock, link);
		if (s->closing)
			continue;
		if (!s->svc) {
			log_info("no longer listening: %s", s->label);
			sock_close(s);
			continue;
		}
		if (!s->fiber) {
			s->watched = fiber_event_new();
			s->fiber = fiber_spawn("socket", 32 * 1024, sock_watch, s);
			if (!s->fiber)
				log_warn("no memory for a fiber: services on %s are started with "
				         "the others only",
				        s->label);
		}
	}
}

void sockets_close_all(struct master *m)
{
	LIST_FOREACH_SAFE (n, &m->sockets) {
		struct msock *s = CONTAINER_OF(n, struct msock, link);
		if (!s->closing)
			sock_close(s);
	}
}

#define PORTS_FILE "pid/ports"

int sockets_write_ports(struct master *m, struct err *e)
{
	struct buf b;
	buf_init(&b, 64 * 1024);
	LIST_FOREACH (n, &m->sockets) {
		struct msock *s = CONTAINER_OF(n, struct msock, link);
		if (s->closing || s->cls != CLASS_INET || !s->svc)
			continue;
		/* a service listens on one port, perhaps at several addresses: one line */
		if (s->svc->socks[0] == s)
			buf_printf(&b, "%s %u\n", s->svc->cf->name, s->port);
	}
	int rc = -1;
	int fd = sys_open(PORTS_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		err_sys(e, errno, "write " PORTS_FILE);
	} else {
		if (sys_write_all(fd, buf_z(&b), b.len) < 0)
			err_sys(e, errno, "write " PORTS_FILE);
		else if (sys_fchmod(fd, 0644) < 0 || sys_rename(PORTS_FILE ".new", PORTS_FILE) < 0)
			err_sys(e, errno, "rename to " PORTS_FILE);
		else
			rc = 0;
		sys_close(fd);
	}
	buf_free(&b);
	return rc;
}

/*
 * The log socket that children inherit: one end of a pair, whose other end postlogd reads beside its named
 * socket. A pair holds as much as its buffers do, a named datagram socket ten lines
 * (net.unix.max_dgram_qlen). It lives as long as master: no line is lost when postlogd is restarted.
 */
int sockets_open_log(struct master *m, const struct generation *g, struct err *e)
{
	bool wanted = false;
	for (size_t i = 0; i < g->count && !wanted; i++)
		wanted = msvc_is_postlogd(&g->services[i]);
	if (wanted && m->log_fd >= 0)
		return 0;
	sockets_close_log(m);
	log_to_fd(-1);
	if (!wanted)
		return 0;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "log socket");
	m->log_fd = pair[0];
	m->log_reader = pair[1];
	int own = fcntl(m->log_fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return err_sys(e, errno, "log socket");
	log_to_fd(own);
	return 0;
}

void sockets_close_log(struct master *m)
{
	if (m->log_fd >= 0)
		sys_close(m->log_fd);
	if (m->log_reader >= 0)
		sys_close(m->log_reader);
	m->log_fd = m->log_reader = -1;
}

bool msvc_is_postlogd(const struct msvc *svc)
{
	return svc->cf->type == SERVICE_UNIX_DGRAM && strcmp(svc->cf->command, "postlogd") == 0;
}
