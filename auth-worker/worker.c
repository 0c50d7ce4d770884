#include "auth-worker/worker.h"

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sasl/crypt_verify.h"
#include "lib/server/server_requests.h"

#define SEND_MS     10000
#define REQUEST_MAX (256 * 1024) /* an account may be in many groups */

struct verify_job {
	struct sv hash, password;
	struct err e;
	int rc;
};

static void run_verify(void *rec)
{
	struct verify_job *j = rec;

	j->rc = crypt_verify(j->hash, j->password, &j->e);
}

static int do_verify(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_authworker_verify q;

	if (msg_authworker_verify_decode(f->body, a, &q, e) < 0)
		return -1;
	struct verify_job j = { .hash = q.hash, .password = q.password, .e = ERR_INIT };

	/* in a thread: the loop stays able to hear that it shall stop */
	fiber_offload(FIBER_POOL_LOOKUP, run_verify, &j);
	explicit_bzero((void *)(uintptr_t)f->body.p, f->body.len);
	struct msg_authworker_verified r = {
		.status = j.rc < 0 ? 2 : (uint32_t)j.rc,
		.text = j.rc < 0 ? sv_z(j.e.text) : SV_NONE,
	};

	return msg_authworker_verified_send(
	        c, &r, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
}

struct find_job {
	struct sv name;
	uid_t uid;
	struct arena *arena;
	struct worker_account found;
	struct err e;
	int rc;
};

static void run_find(void *rec)
{
	struct find_job *j = rec;

	j->rc = worker_find(j->name, j->uid, j->arena, &j->found, &j->e);
}

static int do_find(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_authworker_find q;

	if (msg_authworker_find_decode(f->body, a, &q, e) < 0)
		return -1;
	struct find_job j = { .name = q.name, .uid = q.uid, .arena = a, .e = ERR_INIT };

	fiber_offload(FIBER_POOL_LOOKUP, run_find, &j);
	struct msg_authworker_found r = {
		.status = j.rc < 0 ? 2 : (uint32_t)j.rc,
		.error = j.rc < 0 ? sv_z(j.e.text) : SV_NONE,
	};

	if (j.rc == 1) {
		r.name = j.found.name;
		r.uid = j.found.uid;
		r.gid = j.found.gid;
		r.groups = j.found.groups;
		r.home = j.found.home;
		r.shell = j.found.shell;
	}
	return msg_authworker_found_send(c, &r, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
}

static int answer(void *ctx, struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e)
{
	(void)ctx;
	switch (f->type) {
	case MSG_authworker_verify: return do_verify(c, f, a, e);
	case MSG_authworker_find: return do_find(c, f, a, e);
	default: return err_set(e, ERR_PERM, "unexpected message type %u", f->type);
	}
}

void worker_serve_fd(int fd, struct server_conn *sc)
{
	static const struct server_requests_def def = { .protocol = MSG_authworker_PROTOCOL,
		.arena_max = REQUEST_MAX,
		.answer = answer };

	server_requests(&def, NULL, fd, sc);
}

void worker_serve(struct server_conn *c)
{
	worker_serve_fd(c->fd, c);
}
