/*
 * Unit test of auth/auth_serve.c, auth_signin.c, auth_switch.c, auth_dir.c and
 * lib/clnt/clnt_auth.c: the real auth on socketpairs, with a fake auth-worker for which a hash is
 * "$y$" and the password.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/fiber.h"
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#define WAIT_MS 10000

/* A fiber must not assert: it notes the first thing that is wrong. */
static char wrong[500];

#define EXPECT(cond)                                                                    \
	do {                                                                            \
		if (!(cond) && !wrong[0])                                               \
			snprintf(wrong, sizeof(wrong), "line %d: %s", __LINE__, #cond); \
	} while (0)

static struct auth the_auth;
static unsigned verified; /* requests that the worker saw */
static char users_path[300];

static int64_t soon(void)
{
	return fiber_deadline(WAIT_MS);
}

/* --- workers: hashes, accounts of the system, PAM ------------------------------------------------ */

static const struct {
	const char *name;
	uid_t uid;
	uint32_t group;
} accounts[] = { { "carl", 1001, 50 }, { "root", 0, 0 }, { "lowly", 105, 0 }, { "merpati-net", 901, 0 },
	{ "insider", 1002, 903 } };

static unsigned pam_asked;

static void answer_find(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a)
{
	static uint32_t groups[2] = { 27 };
	struct msg_authworker_find q;
	struct msg_authworker_found r = { .status = 0 };
	struct err e = ERR_INIT;

	EXPECT(msg_authworker_find_decode(f->body, a, &q, &e) >= 0);
	for (size_t i = 0; i < ARRAY_LEN(accounts); i++)
		if (sv_eqz(q.name, accounts[i].name)) {
			groups[1] = accounts[i].group;
			r = (struct msg_authworker_found){ .status = 1, .name = q.name, .uid = accounts[i].uid,
				.gid = accounts[i].uid, .home = SV("/home/x"), .groups = { groups, 2 } };
		}
	if (sv_eqz(q.name, "trouble"))
		r = (struct msg_authworker_found){ .status = 2, .error = SV("no directory server answers") };
	EXPECT(msg_authworker_found_send(c, &r, f->request_id, NULL, 0, soon(), &e) >= 0);
}

static void answer_pam(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a)
{
	struct msg_authworker_unix_sign_in q;
	struct err e = ERR_INIT;

	EXPECT(msg_authworker_unix_sign_in_decode(f->body, a, &q, &e) >= 0);
	EXPECT(sv_eqz(q.user, "carl") && sv_eqz(q.remote_addr, "127.0.0.1"));
	pam_asked++;
	struct msg_authworker_verified r = { .status = sv_eqz(q.password, "secret"), .text = SV("says PAM") };

	if (sv_eqz(q.password, "timeout"))
		r = (struct msg_authworker_verified){ .status = 2, .text = SV("PAM: a module does not answer") };
	EXPECT(msg_authworker_verified_send(c, &r, f->request_id, NULL, 0, soon(), &e) >= 0);
}

static void run_worker(void *arg)
{
	struct ipc_conn *c = ipc_conn_new((int)(intptr_t)arg);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct arena a;

	arena_init(&a, 65536);
	while (ipc_recv(c, &f, soon(), &e) == 1) {
		struct msg_authworker_verify q;

		arena_reset(&a);
		if (f.type == MSG_authworker_find) {
			answer_find(c, &f, &a);
			continue;
		}
		if (f.type == MSG_authworker_unix_sign_in) {
			answer_pam(c, &f, &a);
			continue;
		}
		EXPECT(msg_authworker_verify_from(&f, &a, &q, &e) == 1);
		struct msg_authworker_verified r = {
			.status = sv_starts(q.hash, SV("$y$")) &&
			          sv_eq(sv_from(q.hash, 3), q.password),
		};

		if (sv_eqz(q.hash, "$y$broken"))
			r = (struct msg_authworker_verified){ .status = 2,
				.text = SV("bad hash") };
		verified++;
		EXPECT(msg_authworker_verified_send(c, &r, f.request_id, NULL, 0, soon(), &e) >= 0);
	}
	arena_free(&a);
	ipc_conn_free(c);
}

struct link {
	int fd;
	const char *cls;
};

static void run_serve(void *arg)
{
	struct link *l = arg;

	auth_serve_fd(&the_auth, l->fd, l->cls, NULL);
	free(l);
}

/* A connection to auth by a socket of class CLS. */
static int connect_class(const char *cls)
{
	struct link *l = calloc(1, sizeof(*l));
	int sv[2];

	if (!l || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	*l = (struct link){ sv[1], cls };
	if (!fiber_spawn("serve", 0, run_serve, l))
		abort();
	return sv[0];
}

static int dial_worker(UNUSED void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline,
        UNUSED struct err *e)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0 ||
	        !fiber_spawn("worker", 0, run_worker, (void *)(intptr_t)sv[1]))
		abort();
	return sv[0];
}

static int dial_auth(
        void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline, UNUSED struct err *e)
{
	return connect_class(ctx);
}

static void write_users(const char *text)
{
	char tmp[400];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", users_path);
	f = fopen(tmp, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(tmp, users_path) < 0)
		abort();
}

static int sign_in(struct ipc_conn *c, const char *user, const char *password, const char *from,
        struct arena *a, struct clnt_auth_verdict *v)
{
	struct clnt_auth_attempt what = {
		.service = SV("imap"),
		.user = sv_z(user),
		.password = sv_z(password),
		.remote_addr = sv_z(from),
	};
	struct err e = ERR_INIT;

	return clnt_auth_sign_in(c, &what, a, v, soon(), &e);
}

/* --- the directory ---------------------------------------------------------------------------- */
static void directory(void)
{
	static char net[] = "net", queue[] = "queue";
	struct ipc_pool *out = ipc_pool_new("auth", 2, dial_auth, net);
	struct ipc_pool *in = ipc_pool_new("auth", 2, dial_auth, queue);
	struct clnt_auth_identity who;
	struct err e = ERR_INIT;
	struct arena a;

	arena_init(&a, 65536);
	EXPECT(clnt_auth_exists(out, SV("anna@example.test"), soon(), &e) == 1);
	EXPECT(clnt_auth_exists(out, SV("ANNA"), soon(), &e) == 1);
	EXPECT(clnt_auth_exists(out, SV("nobody@example.test"), soon(), &e) == 0);
	/* a name of the host that no user has: only the local part counts, but not for sign-in */
	EXPECT(clnt_auth_exists(out, SV("anna@mail.example.test"), soon(), &e) == 1);
	EXPECT(clnt_auth_exists(out, SV("nobody@localhost"), soon(), &e) == 0);
	EXPECT(clnt_auth_who(in, SV("Anna@LocalHost"), &a, &who, soon(), &e) == 1);
	EXPECT(sv_eqz(who.name, "anna@example.test"));
	EXPECT(clnt_auth_exists(out, SV("typo@example.test"), soon(), &e) == -1);
	EXPECT(clnt_auth_who(in, SV("anna"), &a, &who, soon(), &e) == 1);
	EXPECT(sv_eqz(who.name, "anna@example.test") && who.uid == the_auth.set.only_uid &&
	        who.gid == 7);
	EXPECT(sv_eqz(who.home, "/m/example.test/anna"));
	EXPECT(sv_eqz(who.mail, "maildir:/m/example.test/anna/Maildir"));
	EXPECT(clnt_auth_who(in, SV("nobody"), &a, &who, soon(), &e) == 0);
	/* somebody else's uid: not here */
	EXPECT(clnt_auth_who(in, SV("other"), &a, &who, soon(), &e) == -1);
	/* strangers' daemons learn no more than "exists" */
	EXPECT(clnt_auth_who(out, SV("anna"), &a, &who, soon(), &e) == -1);

	/* the file changes, vanishes, comes back */
	write_users("zoe@example.test:{CRYPT}$y$z:1:1::::\n");
	EXPECT(clnt_auth_exists(out, SV("anna@example.test"), soon(), &e) == 0);
	EXPECT(clnt_auth_exists(out, SV("zoe@example.test"), soon(), &e) == 1);
	unlink(users_path);
	EXPECT(clnt_auth_exists(out, SV("zoe@example.test"), soon(), &e) == -1);
	EXPECT(clnt_auth_exists(out, SV("nobody@example.test"), soon(), &e) == -1);
	ipc_pool_free(out);
	ipc_pool_free(in);
	arena_free(&a);
}

/* --- sign-in ------------------------------------------------------------------------------------
 */
static void signing_in(void)
{
	static const struct {
		const char *user, *password, *from;
		int rc;
		bool asks_worker;
	} cases[] = {
		{ "anna@example.test", "secret", "127.0.0.1", 1, true },
		{ "Anna", "secret", "::1", 1, true }, { "anna", "Secret", "127.0.0.1", 0, true },
		{ "anna", "", "127.0.0.1", 0, true },
		{ "nobody", "secret", "127.0.0.1", 0, true }, /* as slow as a wrong password */
		{ "anna@localhost", "secret", "127.0.0.1", 0, true },
		{ "locked", "x", "127.0.0.1", 0, true },
		{ "typo", "secret", "127.0.0.1", -1, false },
		{ "broken", "secret", "127.0.0.1", -1, true },
		{ "other", "secret", "127.0.0.1", 0, true }, /* of another uid */
		{ "anna", "secret", "192.0.2.1", 0, false }, /* in the clear, from elsewhere */
	};
	struct clnt_auth_verdict v;
	struct arena a;

	arena_init(&a, 65536);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipc_conn *c = ipc_conn_new(connect_class("net"));
		unsigned before = verified;
		int rc = sign_in(c, cases[i].user, cases[i].password, cases[i].from, &a, &v);

		if (rc != cases[i].rc || (verified > before) != cases[i].asks_worker)
			if (!wrong[0])
				snprintf(wrong, sizeof(wrong), "case %zu: rc %d", i, rc);
		if (rc == 1)
			EXPECT(sv_eqz(v.user, "anna@example.test") &&
			        v.token.len == CLNT_AUTH_TOKEN_LEN);
		ipc_conn_free(c);
	}
	arena_free(&a);
}

/* --- the switchboard ---------------------------------------------------------------------------
 */
struct member {
	unsigned room;
	unsigned got;
	char input[50], tag[20], user[60];
	struct fiber_event *served;
};

static void run_member(void *arg)
{
	struct member *m = arg;
	struct ipc_conn *c = ipc_conn_new(connect_class("queue"));
	struct clnt_auth_session s;
	struct err e = ERR_INIT;
	struct arena a;

	arena_init(&a, 1 << 20);
	EXPECT(clnt_auth_enlist(c, SV("imap"), m->room, soon(), &e) == 1);
	if (geteuid() == 0) { /* auth takes us for a process of nobody, as in a system instance */
		struct clnt_auth_identity who;

		EXPECT(clnt_auth_become(c, &a, &who, soon(), &e) == 1 && who.uid == 5);
		EXPECT(clnt_auth_became(c, NULL, soon(), &e) == 1);
	}
	while (clnt_auth_session(c, &a, &s, soon(), &e) == 1) {
		m->got++;
		snprintf(m->input, sizeof(m->input), "%.*s", SV_ARG(s.input));
		snprintf(m->tag, sizeof(m->tag), "%.*s", SV_ARG(s.tag));
		snprintf(m->user, sizeof(m->user), "%.*s", SV_ARG(s.who.name));
		EXPECT(write(s.fd, "hi", 2) == 2);
		fiber_close(s.fd);
		fiber_event_set(m->served);
		if (m->got == 2)
			EXPECT(clnt_auth_room(c, 1, soon(), &e) == 1);
		if (m->got == 3)
			break;
	}
	arena_free(&a);
	ipc_conn_free(c);
}

/* Hand one end of a new socketpair over; the other end is left in *CLIENT. */
static int hand(struct ipc_conn *c, struct sv token, const char *service, int *client)
{
	struct clnt_auth_hand_over h = {
		.token = token,
		.service = sv_z(service),
		.input = SV("more\r\n"),
		.tag = SV("a1"),
		.remote_addr = SV("127.0.0.1"),
	};
	struct err e = ERR_INIT;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	int rc = clnt_auth_hand_over(c, &h, sv[1], soon(), &e);

	close(sv[1]);
	*client = sv[0];
	return rc;
}

static void switching(void)
{
	struct member m = { .room = 2, .served = fiber_event_new() };
	struct ipc_conn *c = ipc_conn_new(connect_class("net"));
	struct ipc_conn *other = ipc_conn_new(connect_class("net"));
	struct clnt_auth_verdict v;
	struct arena a;
	char hi[3] = "";
	int fd;

	arena_init(&a, 65536);
	struct fiber *f = fiber_spawn("member", 0, run_member, &m);
	fiber_hold(f);
	/* a token that nobody gave */
	EXPECT(hand(c, SV("0123456789abcdef"), "imap", &fd) == -1);
	close(fd);
	EXPECT(sign_in(c, "anna", "secret", "127.0.0.1", &a, &v) == 1);
	/* of another connection; for another service (which uses it up) */
	EXPECT(hand(other, v.token, "imap", &fd) == -1);
	close(fd);
	EXPECT(hand(c, v.token, "pop3", &fd) == -1);
	close(fd);
	EXPECT(hand(c, v.token, "imap", &fd) == -1);
	close(fd);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(sign_in(c, "anna", "secret", "127.0.0.1", &a, &v) == 1);
		EXPECT(hand(c, v.token, "imap", &fd) == 1);
		EXPECT(fiber_event_wait(m.served, soon()) == 1);
		fiber_event_clear(m.served);
		EXPECT(read(fd, hi, 2) == 2 && hi[0] == 'h');
		close(fd);
		/* once */
		EXPECT(hand(c, v.token, "imap", &fd) == -1);
		close(fd);
	}
	EXPECT(m.got == 3);
	EXPECT(strcmp(m.input, "more\r\n") == 0 && strcmp(m.tag, "a1") == 0);
	EXPECT(strcmp(m.user, "anna@example.test") == 0);
	EXPECT(fiber_join(f, soon()) == 1);
	fiber_release(f);
	/* nobody is left: the deadline ends the wait */
	EXPECT(sign_in(c, "anna", "secret", "127.0.0.1", &a, &v) == 1);
	EXPECT(hand(c, v.token, "imap", &fd) == -1);
	close(fd);
	ipc_conn_free(c);
	ipc_conn_free(other);
	fiber_event_free(m.served);
	arena_free(&a);
}

/* A jailed daemon cannot enlist: it would get sessions of everybody. */
static void enlisting_from_outside(void)
{
	struct ipc_conn *c = ipc_conn_new(connect_class("net"));
	struct clnt_auth_session s;
	struct err e = ERR_INIT;
	struct arena a;

	arena_init(&a, 65536);
	EXPECT(clnt_auth_enlist(c, SV("imap"), 5, soon(), &e) == 1);
	EXPECT(clnt_auth_session(c, &a, &s, soon(), &e) == 0);
	EXPECT(auth_switch_room(the_auth.sw, SV("imap")) == 0);
	arena_free(&a);
	ipc_conn_free(c);
}

/* --- a system instance: users of the file, then those of the system -------------------------------- */
static void unix_users(void)
{
	static const struct {
		const char *user, *password;
		int rc;
		bool asks_pam;
	} cases[] = {
		{ "carl", "secret", 1, true }, { "CARL@Mail.Example.Test", "secret", 1, true },
		{ "carl@example.test", "wrong", 0, true }, { "carl", "timeout", -1, true },
		{ "carl", "", 0, false }, { "carl@other.test", "secret", 0, false },
		/* PAM's modules may count failures, and are not asked about these */
		{ "root", "secret", 0, false }, { "lowly", "secret", 0, false },
		{ "merpati-net", "secret", 0, false }, { "insider", "secret", 0, false },
		{ "ghost", "secret", 0, false }, { "trouble", "secret", -1, false },
		/* the users file comes first */
		{ "anna@example.test", "secret", 1, false },
	};
	static char queue[] = "queue";
	struct ipc_pool *in = ipc_pool_new("auth", 2, dial_auth, queue);
	struct clnt_auth_identity who;
	struct clnt_auth_verdict v;
	struct err e = ERR_INIT;
	struct arena a;

	arena_init(&a, 65536);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipc_conn *c = ipc_conn_new(connect_class("net"));
		unsigned pam = pam_asked, hashes = verified;
		int rc = sign_in(c, cases[i].user, cases[i].password, "127.0.0.1", &a, &v);
		bool same_cost = pam_asked + verified == pam + hashes + 1 || strcmp(cases[i].user, "trouble") == 0;

		if ((rc != cases[i].rc || (pam_asked > pam) != cases[i].asks_pam || !same_cost) && !wrong[0])
			snprintf(wrong, sizeof(wrong), "unix case %zu: rc %d", i, rc);
		ipc_conn_free(c);
	}
	EXPECT(clnt_auth_who(in, SV("Carl+x"), &a, &who, soon(), &e) == 0);
	EXPECT(clnt_auth_who(in, SV("Carl@localhost"), &a, &who, soon(), &e) == 1);
	EXPECT(who.uid == 1001 && sv_eqz(who.name, "carl") && sv_eqz(who.mail, "maildir:/home/x/Maildir"));
	EXPECT(clnt_auth_who(in, SV("lowly"), &a, &who, soon(), &e) == 1); /* gets mail, but does not sign in */
	EXPECT(clnt_auth_exists(in, SV("root"), soon(), &e) == 1);
	EXPECT(clnt_auth_who(in, SV("root"), &a, &who, soon(), &e) == -1);
	EXPECT(strstr(e.text, "nothing is done as root; an alias must") != NULL);
	EXPECT(clnt_auth_who(in, SV("merpati-net"), &a, &who, soon(), &e) == -1);
	EXPECT(clnt_auth_who(in, SV("insider"), &a, &who, soon(), &e) == -1);
	EXPECT(clnt_auth_exists(in, SV("ghost"), soon(), &e) == 0);
	EXPECT(clnt_auth_exists(in, SV("trouble"), soon(), &e) == -1);
	ipc_pool_free(in);
	arena_free(&a);
}

static void run_all(UNUSED void *arg)
{
	unsigned uid = geteuid() ? geteuid() : 5; /* root is no mail user */
	char users[1000];

	snprintf(users, sizeof(users),
	        "anna@example.test:{CRYPT}$y$secret:%u:7::::\n"
	        "locked@example.test:!:%u:7::::\n"
	        "broken@example.test:{CRYPT}$y$broken:%u:7::::\n"
	        "typo@example.test:secret:%u:7::::\n"
	        "other@example.test:{CRYPT}$y$secret:%u:7::::\n",
	        uid, uid, uid, uid, uid + 1);
	write_users(users);
	the_auth.set.only_uid = geteuid() ? geteuid() : 5;
	the_auth.sw = auth_switch_new();
	the_auth.workers = ipc_pool_new("auth-worker", 2, dial_worker, NULL);
	signing_in();
	enlisting_from_outside();
	the_auth.set.only_uid = geteuid() ? geteuid() : (uid_t)-1; /* members are us */
	switching();
	the_auth.set.only_uid = geteuid() ? geteuid() : 5;
	directory();
	the_auth.pam = ipc_pool_new("auth-pam", 2, dial_worker, NULL);
	the_auth.set.only_uid = (uid_t)-1;
	the_auth.set.first_valid_uid = 1000;
	the_auth.set.names[0] = "mail.example.test";
	the_auth.set.names[1] = "example.test";
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++)
		the_auth.set.own.ids[i] = (struct rights_ids){ .uid = 900 + (uid_t)i, .gid = 900 + (gid_t)i };
	snprintf(users, sizeof(users), "anna@example.test:{CRYPT}$y$secret:1000:7::/home/anna::\n");
	write_users(users);
	auth_dir_free(the_auth.dir); /* a file with the number of an old one would look changed in place */
	the_auth.dir = auth_dir_new(users_path, "/m", &(struct auth_where){ .home_mailbox = NULL });
	unix_users();
	ipc_pool_free(the_auth.pam);
	ipc_pool_free(the_auth.workers);
	fiber_stop(0);
}

static void serves(UNUSED void **state)
{
	const struct hash_seed seed = { 1, 2 };
	char *dir = tmpdir_new();

	snprintf(users_path, sizeof(users_path), "%s/users", dir);
	the_auth.set = (struct auth_settings){ .failure_delay_ms = 1, .wait_ms = 50 };
	the_auth.dir = auth_dir_new(users_path, "/m", &(struct auth_where){ .home_mailbox = NULL });
	the_auth.penalty = auth_penalty_new(seed, 100);
	wrong[0] = '\0';
	assert_int_equal(fiber_main(run_all, NULL), 0);
	assert_string_equal(wrong, "");
	auth_dir_free(the_auth.dir);
	auth_penalty_free(the_auth.penalty);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(serves) };
	return cmocka_run_group_tests_name("auth_serve", tests, NULL, NULL);
}
