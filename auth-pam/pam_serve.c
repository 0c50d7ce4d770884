#include <sys/types.h>

#include "auth-pam/pam.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/server/server_requests.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define SEND_MS       10000
#define REQUEST_MAX   (16 * 1024)
#define REMOTE_MAX    64
#define SECONDS_A_DAY 86400

struct settings {
	const char *service; /* "": the shadow file */
};

int pam_pre_jail(struct server *s, struct err *e)
{
	struct settings *set = mem_alloc(sizeof(*set));
	struct params_auth p;
	if (params_auth_load(server_config(s), &p, e) < 0)
		return -1;
	set->service = p.auth_pam_service;
	if (set->service[0] && !pam_is_built_in()) {
		log_info("auth_pam_service = %s has no effect: built without PAM, the shadow file is read",
			set->service);
		set->service = "";
	}
	server_set_state(s, set);
	return 0;
}

struct job {
	const char *service;
	char user[PAM_USER_MAX + 1], password[PAM_PASSWORD_MAX + 1], remote[REMOTE_MAX + 1];
	struct err e;
	int rc;
};

static void run(void *rec)
{
	struct job *j = rec;
	if (j->service[0])
		j->rc = pam_check(j->service, j->user, j->password, j->remote, &j->e);
	else
		j->rc = shadow_check(j->user, j->password, (long)(clock_wall_s() / SECONDS_A_DAY), &j->e);
}

/* The request as C strings; nobody has such a name or password otherwise. */
static bool take(struct job *j, const struct msg_authworker_unix_sign_in *q)
{
	return sv_copyz(q->user, j->user, sizeof(j->user)) >= 0 && j->user[0] &&
		sv_copyz(q->password, j->password, sizeof(j->password)) >= 0 &&
		sv_copyz(q->remote_addr, j->remote, sizeof(j->remote)) >= 0 &&
		sv_chr(q->user, '\0') < 0 && sv_chr(q->password, '\0') < 0;
}

static int answer(void *ctx, struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e)
{
	const struct settings *set = ctx;
	struct msg_authworker_unix_sign_in q;
	if (f->type != MSG_authworker_unix_sign_in)
		return err_set(e, ERR_PERM, "unexpected message type %u", f->type);
	if (msg_authworker_unix_sign_in_decode(f->body, a, &q, e) < 0)
		return -1;
	struct job *j = mem_alloc(sizeof(*j));
	j->service = set->service;
	j->e = (struct err)ERR_INIT;
	if (take(j, &q))
		fiber_offload(FIBER_POOL_LOOKUP, run, j);
	else
		err_set(&j->e, ERR_PERM, "too long, or no text");
	explicit_bzero(j->password, sizeof(j->password));
	explicit_bzero((void *)(uintptr_t)f->body.p, f->body.len);
	struct msg_authworker_verified r = {
		.status = j->rc < 0 ? 2 : (uint32_t)j->rc,
		.text = j->rc == 1 ? SV_NONE : sv_z(j->e.text),
	};
	int rc = msg_authworker_verified_send(c, &r, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
	free(j);
	return rc;
}

void pam_serve(struct server_conn *c)
{
	static const struct server_requests_def def = { .protocol = MSG_authworker_PROTOCOL,
		.arena_max = REQUEST_MAX, .answer = answer };
	server_requests(&def, c->state, c->fd, c);
}
