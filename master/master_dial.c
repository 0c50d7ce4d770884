#include <errno.h>

#include "lib/ipc/msg.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"
#include "master/master_outside.h"

#define ANSWER_MS 1000

/* The socket of CALLER's class at ENDPOINT ("cleanup", or "private/cleanup" as in Postfix's
 * parameters). */
static const struct msock *find_endpoint(
        struct master *m, const struct msvc *caller, struct sv endpoint, struct err *e)
{
	if (sv_starts(endpoint, SV("private/")))
		endpoint = sv_from(endpoint, sizeof "private/" - 1);
	enum sock_class cls = table_caller_class(caller->cf->command);
	for (size_t i = 0; i < m->current->count; i++) {
		struct msvc *svc = &m->current->services[i];
		if (svc->cf->type != SERVICE_UNIX || !sv_eqz(endpoint, svc->cf->name))
			continue;
		for (size_t j = 0; j < svc->nsocks && table_may_call(caller->cf->command, svc->cf->command); j++)
			if (svc->socks[j]->cls == cls && sv_eqz(endpoint, svc->socks[j]->name))
				return svc->socks[j];
		err_set(e, ERR_CONFIG, "%s may not call service %.*s", caller->cf->command,
		        SV_ARG(endpoint));
		return NULL;
	}
	err_set(e, ERR_CONFIG, "master.cf has no service %.*s", SV_ARG(endpoint));
	return NULL;
}

static int connect_service(
        struct master *m, const struct msvc *caller, struct sv endpoint, struct err *e)
{
	const struct msock *s = find_endpoint(m, caller, endpoint, e);
	return s ? sock_unix_connect(s->path, false, e) : -1;
}

/* "unix:PATH": a socket of another program (lmtp). */
static int connect_outside(
        struct master *m, const struct msvc *caller, struct sv path, struct err *e)
{
	const struct generation *g = m->current;
	char z[256];
	if (table_caller_class(caller->cf->command) != CLASS_OUT)
		return err_set(e, ERR_CONFIG, "%s may not connect to other programs", caller->cf->command);
	if (sv_copyz(path, z, sizeof(z)) < 0)
		return err_set(e, ERR_CONFIG, "the path of socket %.*s is too long", SV_ARG(path));
	if (outside_allowed(g->cfg, g->core.queue_directory, path, e) < 0)
		return -1;
	return sock_unix_connect(z, false, e);
}

void dial_answer(struct child *c, const struct ipc_frame *f)
{
	struct msg_master_dial dial;
	struct err e = ERR_INIT;
	struct arena a;
	int fd = -1;
	arena_init(&a, 64 * 1024);
	if (msg_master_dial_decode(f->body, &a, &dial, &e) >= 0) {
		if (sv_starts(dial.endpoint, SV("unix:")))
			fd = connect_outside(c->master, c->svc, sv_from(dial.endpoint, 5), &e);
		else
			fd = connect_service(c->master, c->svc, dial.endpoint, &e);
		if (fd < 0)
			log_warn("service %s, pid %d: not connected to %.*s: %s", c->svc->cf->name,
			        (int)c->pid, SV_ARG(dial.endpoint), e.text);
	}
	struct msg_master_dialled answer = { .ok = fd >= 0, .error = sv_z(fd >= 0 ? "" : e.text) };
	if (msg_master_dialled_send(c->ctl, &answer, f->request_id, &fd, fd >= 0 ? 1 : 0,
	            fiber_deadline(ANSWER_MS), &e) < 0 &&
	        !c->reaped)
		log_warn("service %s, pid %d: does not take what it asked for: %s",
		        c->svc->cf->name, (int)c->pid, e.text);
	if (fd >= 0)
		sys_close(fd);
	arena_free(&a);
}
