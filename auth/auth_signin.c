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

/* Ask a worker. Q is a request of TYPE, encoded; it holds the password, and is wiped. 1 same, 0 differs (*E
 * says what else may be the reason), -1. */
static int ask(struct ipc_pool *workers, uint16_t type, struct buf *q, struct err *e)
{
	struct msg_authworker_verified r;
	struct ipc_frame f;
	struct arena arena;

	arena_init(&arena, 64 * 1024);
	int rc = ipc_call(workers, MSG_authworker_PROTOCOL, MSG_authworker_VERSION, type, buf_sv(q), &arena, &f,
	        fiber_deadline(VERIFY_MS), e);

	explicit_bzero(q->p, q->cap);
	if (rc >= 0 && f.type != MSG_authworker_verified)
		rc = err_set(e, ERR_BUG, "unexpected message type %u of a worker", f.type);
	else if (rc >= 0)
		rc = msg_authworker_verified_decode(f.body, &arena, &r, e);
	if (rc >= 0) {
		err_set(e, r.status <= 1 ? ERR_PERM : ERR_TEMP, "%.*s", SV_ARG(r.text));
		rc = r.status <= 1 ? (int)r.status : -1;
	}
	arena_free(&arena);
	return rc;
}

static int verify_hash(struct auth *a, struct sv hash, struct sv password, struct err *e)
{
	struct msg_authworker_verify q = { .hash = hash, .password = password };
	struct buf body;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	/* all room at once: growing would leave a copy of the password behind */
	if (!buf_room(&body, hash.len + password.len + 256) || msg_authworker_verify_encode(&q, &body) < 0)
		rc = err_set(e, ERR_TEMP, "credentials too long");
	else
		rc = ask(a->workers, MSG_authworker_verify, &body, e);
	buf_free(&body);
	return rc;
}

static int verify_unix(struct auth *a, const struct auth_account *who, const struct msg_auth_sign_in *m, struct err *e)
{
	struct msg_authworker_unix_sign_in q = { .user = who->name, .password = m->password,
		.remote_addr = m->remote_addr };
	struct buf body;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	if (!buf_room(&body, who->name.len + m->password.len + m->remote_addr.len + 256) ||
	        msg_authworker_unix_sign_in_encode(&q, &body) < 0)
		rc = err_set(e, ERR_TEMP, "credentials too long");
	else
		rc = ask(a->pam, MSG_authworker_unix_sign_in, &body, e);
	buf_free(&body);
	return rc;
}

static int issue(const struct msg_auth_sign_in *m, const struct auth_account *who, struct auth_ticket *t,
        struct err *e)
{
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

/* Why WHO may not sign in, whatever the password is; NULL: may. The text may lie in E. */
static const char *no_sign_in(const struct auth *a, const struct auth_account *who, struct err *e)
{
	if (auth_account_allowed(a, who, e) < 0)
		return e->text;
	if (a->set.only_uid == (uid_t)-1 && who->uid < a->set.first_valid_uid)
		return "the uid is below first_valid_uid";
	return !who->unix_account && sv_empty(who->hash) ? "no password" : NULL;
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
	struct err refusal = ERR_INIT;
	const char *why = "unknown user";

	if (m->user.len <= USER_MAX)
		found = auth_account_find(a, m->user, false, &t->arena, &who, e);
	if (found < 0)
		return -1;
	/* of who may not sign in, PAM is not asked: its modules may count failures and lock root out */
	if (found == 1)
		why = no_sign_in(a, &who, &refusal);
	bool usable = !why && m->password.len > 0 && m->password.len <= PASSWORD_MAX && sv_chr(m->password, '\0') < 0;
	int same;

	if (usable && who.unix_account)
		same = verify_unix(a, &who, m, e);
	else
		same = verify_hash(a, usable ? who.hash : auth_dir_dummy(a->dir), usable ? m->password : SV("x"), e);
	if (same < 0)
		return -1;
	if (!usable || !same) {
		refused(a, m, why ? why : usable && e->text[0] ? e->text : "password mismatch");
		return 0;
	}
	auth_penalty_passed(a->penalty, m->remote_addr);
	return issue(m, &who, t, e);
}
