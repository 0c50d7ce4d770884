/*
 * A sign-in: where from, penalty, look-up, hash, verdict. Whether the user exists can be seen
 * neither from the answer nor from the time it takes: an unknown user's password is verified
 * against a hash that costs the same.
 */
#include "auth/auth.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

#define PASSWORD_MAX 511 /* crypt(3) takes no more */
#define USER_MAX     320
#define VERIFY_MS    30000
#define TICKET_MS    30000
#define SHOWN_MAX    80

/* A name as it may stand in a log line that programs read: nothing that ends or fakes a field. */
static void show_user(struct sv user, char out[static SHOWN_MAX + 1])
{
	size_t n = user.len < SHOWN_MAX ? user.len : SHOWN_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = ascii_is_alnum(user.p[i]) || memchr("@._+-=~", user.p[i], 7) ? user.p[i]
		                                                                      : '?';
	out[n] = '\0';
}

/* 1 same, 0 differs, -1. */
static int verify(struct auth *a, struct sv hash, struct sv password, struct err *e)
{
	struct msg_authworker_verify q = { .hash = hash, .password = password };
	struct msg_authworker_verified r;
	struct ipc_frame f;
	struct arena arena;
	struct buf body;
	int rc;

	arena_init(&arena, 64 * 1024);
	buf_init(&body, IPC_FRAME_MAX);
	/* all room at once: growing would leave a copy of the password behind */
	char *room = buf_room(&body, hash.len + password.len + 256);

	if (!room || msg_authworker_verify_encode(&q, &body) < 0)
		rc = err_set(e, ERR_TEMP, "credentials too long");
	else
		rc = ipc_call(a->workers, MSG_authworker_PROTOCOL, MSG_authworker_VERSION,
		        MSG_authworker_verify, buf_sv(&body), &arena, &f, fiber_deadline(VERIFY_MS),
		        e);
	if (body.p)
		explicit_bzero(body.p, body.cap);
	buf_free(&body);
	if (rc >= 0 && f.type != MSG_authworker_verified)
		rc = err_set(e, ERR_BUG, "auth-worker: unexpected message type %u", f.type);
	else if (rc >= 0)
		rc = msg_authworker_verified_decode(f.body, &arena, &r, e);
	if (rc >= 0)
		rc = r.status <= 1 ? (int)r.status : err_set(e, ERR_TEMP, "%.*s", SV_ARG(r.error));
	arena_free(&arena);
	return rc;
}

static int issue(struct auth *a, const struct msg_auth_sign_in *m, const struct auth_account *who,
        struct auth_ticket *t, struct err *e)
{
	if (who->uid == 0 || (a->set.only_uid != (uid_t)-1 && who->uid != a->set.only_uid)) {
		log_error(
		        "user %.*s has uid %u in the users file, this instance serves uid %u only: "
		        "correct the line",
		        SV_ARG(who->name), (unsigned)who->uid, (unsigned)a->set.only_uid);
		return err_set(e, ERR_CONFIG, "this account is not set up correctly");
	}
	if (sv_copyz(m->service, t->service, sizeof(t->service)) < 0)
		return err_set(e, ERR_PERM, "unknown service");
	t->who = *who;
	t->who.hash = SV_NONE;
	rand_bytes(t->token, sizeof(t->token));
	t->expires = clock_mono_ms() + TICKET_MS;
	return 1;
}

/* Why, for the admin; login must not know. Tools that watch for password guessing count login's line,
 * so this one must not have the form of Dovecot's "passwd-file(user,address): ...". */
static void refused(struct auth *a, const struct msg_auth_sign_in *m, const char *why)
{
	char shown[SHOWN_MAX + 1];

	show_user(m->user, shown);
	log_info("auth: sign-in refused, %s: user=<%s>, rip=%.*s, service=%.*s", why, shown,
	        SV_ARG(m->remote_addr), SV_ARG(m->service));
	auth_penalty_failed(a->penalty, m->remote_addr, clock_mono_ms());
	fiber_sleep(a->set.failure_delay_ms);
}

int auth_sign_in(
        struct auth *a, const struct msg_auth_sign_in *m, struct auth_ticket *t, struct err *e)
{
	struct auth_account who = { .name = SV_NONE };

	t->expires = 0;
	arena_reset(&t->arena);
	if (!m->secured && !auth_addr_is_loopback(m->remote_addr))
		return 0; /* login says so before it asks; nothing was tried, so nothing is counted
		           */
	int64_t wait = auth_penalty_ms(a->penalty, m->remote_addr, clock_mono_ms());

	if (wait > 0 && fiber_sleep(wait) < 0)
		return err_set(e, ERR_TEMP, "shutting down");
	int found = 0;

	if (m->user.len <= USER_MAX)
		found = auth_dir_find(a->dir, m->user, false, &t->arena, &who, e);
	if (found < 0)
		return -1;
	bool usable = found && !sv_empty(who.hash) && m->password.len <= PASSWORD_MAX &&
	              sv_chr(m->password, '\0') < 0;
	int same = verify(
	        a, usable ? who.hash : auth_dir_dummy(a->dir), usable ? m->password : SV("x"), e);

	if (same < 0)
		return -1;
	if (!usable || !same) {
		refused(a, m, !found ? "unknown user" : "password mismatch");
		return 0;
	}
	auth_penalty_passed(a->penalty, m->remote_addr);
	return issue(a, m, &who, t, e);
}
