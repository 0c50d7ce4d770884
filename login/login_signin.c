#include <string.h>

#include "lib/base/base64.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "login/login.h"

#define AUTH_MS     90000 /* penalty, queue of slow hashes, delay after a failure */
#define HAND_MS     40000
#define INPUT_MAX   65536
#define VERDICT_MAX 8192

static const char *protocol_name(const struct login_peer *p)
{
	return p->protocol == LOGIN_IMAP ? "imap" : "pop3";
}

/* Log readers take user=<...> apart: nothing inside may look like the end of it. */
static void note_user(struct login_peer *p, struct sv user)
{
	size_t n = user.len < LOGIN_USER_MAX ? user.len : LOGIN_USER_MAX;

	for (size_t i = 0; i < n; i++)
		p->user[i] = user.p[i] > ' ' && user.p[i] < 0x7f && !strchr("<>(),", user.p[i])
		                     ? user.p[i]
		                     : '?';
	p->user[n] = '\0';
}

int login_plain_decode(struct sv base64, struct buf *out, struct sv *user, struct sv *password)
{
	if (base64_decode(out, base64) != 1)
		return -1;
	struct sv all = buf_sv(out);
	ptrdiff_t a = sv_chr(all, '\0');

	if (a < 0)
		return -1;
	struct sv authzid = sv_upto(all, (size_t)a);
	struct sv rest = sv_from(all, (size_t)a + 1);
	ptrdiff_t b = sv_chr(rest, '\0');

	if (b <= 0)
		return -1;
	*user = sv_upto(rest, (size_t)b);
	*password = sv_from(rest, (size_t)b + 1);
	if (sv_chr(*password, '\0') >= 0)
		return -1;
	/* nobody acts for somebody else here */
	return sv_empty(authzid) || sv_eq(authzid, *user) ? 1 : -1;
}

/* Give the client away. On failure the stream is whole again. */
static enum login_result hand_over(struct login_peer *p, struct ipc_conn *c,
        const struct clnt_auth_verdict *v, struct sv tag, bool *conn_good)
{
	struct err e = ERR_INIT;
	struct sv unread;

	if (stream_flush(p->stream) != 1)
		return LOGIN_GONE;
	stream_wipe(p->stream);
	int fd = stream_detach(p->stream, &unread);
	/* the view dies with the stream */
	char *kept = mem_svdup(unread);
	struct clnt_auth_hand_over h = {
		.token = v->token,
		.service = sv_z(protocol_name(p)),
		.input = sv_n(kept, unread.len),
		.tag = tag,
		.remote_addr = sv_z(p->remote),
		.local_addr = sv_z(p->local),
		.session = sv_z(p->session),
	};
	int rc = h.input.len > INPUT_MAX
	                 ? err_set(&e, ERR_PERM, "too much input at once")
	                 : clnt_auth_hand_over(c, &h, fd, fiber_deadline(HAND_MS), &e);

	stream_free(p->stream);
	p->stream = NULL;
	*conn_good = rc == 1 || e.cls == ERR_PERM;
	if (rc == 1) {
		log_info("%s-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=%s, session=<%s>",
		        protocol_name(p), p->user, p->remote, p->local, p->session);
		fiber_close(fd);
		free(kept);
		return LOGIN_HANDED;
	}
	log_error("%s-login: user=<%s>, rip=%s, session=<%s>: signed in but not served: %s",
	        protocol_name(p), p->user, p->remote, p->session, e.text);
	p->stream = stream_new(fd);
	rc = stream_unread(p->stream, h.input);
	free(kept);
	return rc < 0 ? LOGIN_GONE : LOGIN_TROUBLE;
}

enum login_result login_try(struct login_peer *p, struct sv user, struct sv password, struct sv tag)
{
	struct clnt_auth_attempt what = {
		.service = sv_z(protocol_name(p)),
		.user = user,
		.password = password,
		.remote_addr = sv_z(p->remote),
		.local_addr = sv_z(p->local),
		.secured = false,
	};
	struct clnt_auth_verdict v;
	struct err e = ERR_INIT;
	struct arena a;
	bool good = false;
	enum login_result result = LOGIN_TROUBLE;

	note_user(p, user);
	struct ipc_conn *c = ipc_pool_get(p->login->auth, fiber_deadline(AUTH_MS), &e);

	if (!c) {
		log_error("%s-login: cannot reach auth: %s", protocol_name(p), e.text);
		return LOGIN_TROUBLE;
	}
	arena_init(&a, VERDICT_MAX);
	int rc = clnt_auth_sign_in(c, &what, &a, &v, fiber_deadline(AUTH_MS), &e);

	explicit_bzero((void *)(uintptr_t)password.p, password.len);
	if (rc < 0) {
		log_error("%s-login: user=<%s>, rip=%s: no verdict: %s", protocol_name(p), p->user,
		        p->remote, e.text);
	} else if (rc == 0) {
		p->attempts++;
		good = true;
		result = LOGIN_REFUSED;
	} else {
		note_user(p, v.user);
		result = hand_over(p, c, &v, tag, &good);
	}
	ipc_pool_put(p->login->auth, c, good);
	arena_free(&a);
	return result;
}
