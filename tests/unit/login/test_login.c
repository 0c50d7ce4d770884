/*
 * Unit test of login/: the dialogues of tests/daemon/login/ against a fake auth, over socketpairs;
 * and the decoding of SASL PLAIN.
 */
#include <arpa/inet.h>

#include "lib/base/base64.h"
#include "lib/ipc/msg.h"
#include "login/login.h"
#include "tests/support/t.h"

#include "tests/support/play.h"

/* --- auth as login sees it: "anna"/"secret" may, "ben" is trouble, "full" finds no process ------
 */
struct fake_auth {
	int fd;
	char user[100];
	bool full;
	/* what was handed over */
	int handed;
	char input[200], tag[40], service[10];
};

static struct fake_auth last; /* of the test that runs */

static void fake_sign_in(
        struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_auth_verdict v = { .status = 0 };
	struct msg_auth_sign_in q;

	if (msg_auth_sign_in_from(f, a, &q, e) != 1)
		return;
	if (sv_eqz(q.user, "ben")) {
		v.status = 2;
		v.text = SV("users file is on fire");
	} else if ((sv_eqz(q.user, "anna") || sv_eqz(q.user, "full") || sv_eqz(q.user, "a b\"c")) &&
	           sv_eqz(q.password, "secret")) {
		v.status = 1;
		v.user = q.user;
		v.token = SV("0123456789abcdef");
		last.full = sv_eqz(q.user, "full");
	}
	if (msg_auth_verdict_send(c, &v, f->request_id, NULL, 0, fiber_deadline(5000), e) < 0)
		return;
}

static void fake_hand_over(struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_auth_handed h = { .ok = !last.full, .error = SV("no room") };
	struct msg_auth_hand_over q;

	if (msg_auth_hand_over_from(f, a, &q, e) != 1)
		return;
	int fd = ipc_take_fd(f, 0);

	if (h.ok && fd >= 0 && sv_eqz(q.token, "0123456789abcdef")) {
		last.handed++;
		snprintf(last.input, sizeof(last.input), "%.*s", SV_ARG(q.input));
		snprintf(last.tag, sizeof(last.tag), "%.*s", SV_ARG(q.tag));
		snprintf(last.service, sizeof(last.service), "%.*s", SV_ARG(q.service));
		/* what pop3d or imapd would say */
		if (write(fd, "served\r\n", 8) != 8)
			last.handed = -1;
	}
	if (fd >= 0)
		close(fd);
	if (msg_auth_handed_send(c, &h, f->request_id, NULL, 0, fiber_deadline(5000), e) < 0)
		last.handed = -1;
}

static void run_auth(void *arg)
{
	struct ipc_conn *c = ipc_conn_new((int)(intptr_t)arg);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct arena a;

	arena_init(&a, 1 << 20);
	while (ipc_recv(c, &f, fiber_deadline(CHAT_WAIT_MS), &e) == 1) {
		arena_reset(&a);
		if (f.type == MSG_auth_sign_in)
			fake_sign_in(c, &f, &a, &e);
		else
			fake_hand_over(c, &f, &a, &e);
	}
	arena_free(&a);
	ipc_conn_free(c);
}

static int dial_auth(
        UNUSED void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline, struct err *e)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0 ||
	        !fiber_spawn("auth", 0, run_auth, (void *)(intptr_t)sv[1]))
		return err_set(e, ERR_TEMP, "no auth");
	return sv[0];
}

/* --- one dialogue -------------------------------------------------------------------------------
 */
struct dialogue {
	struct login login;
	enum login_protocol protocol;
	bool remote; /* as if from another machine */
};

static void serve(void *ctx, int fd)
{
	struct dialogue *d = ctx;

	if (!d->remote) {
		login_serve_fd(&d->login, d->protocol, fd, NULL);
		return;
	}
	struct login_peer peer = { .login = &d->login,
		.protocol = d->protocol,
		.stream = stream_new(fd),
		.remote = "192.0.2.1",
		.deadline = fiber_deadline(10000) };

	(void)(d->protocol == LOGIN_POP3 ? login_pop3(&peer) : login_imap(&peer));
	stream_flush(peer.stream);
	stream_free(peer.stream);
}

static void begin(void *ctx)
{
	struct dialogue *d = ctx;

	d->login.auth = ipc_pool_new("auth", 4, dial_auth, NULL);
}

static void end(void *ctx)
{
	struct dialogue *d = ctx;

	ipc_pool_free(d->login.auth);
}

static bool one(const char *path)
{
	const char *name = strrchr(path, '/');
	struct dialogue d = {
		.login = { .set = { .greeting = "hello ready.",
		                   .timeout_ms = strstr(name, "slow") ? 200 : 10000,
		                   .max_errors = 4,
		                   .max_attempts = 3 } },
		.protocol = strstr(name, "pop3") ? LOGIN_POP3 : LOGIN_IMAP,
		.remote = strstr(name, "remote") != NULL,
	};
	struct play p = { .path = path, .serve = serve, .begin = begin, .end = end, .ctx = &d };

	last = (struct fake_auth){ .handed = 0 };
	bool good = play_dialogue(&p);

	if (strstr(name, "handed")) {
		assert_int_equal(last.handed, 1);
		assert_string_equal(last.service, d.protocol == LOGIN_POP3 ? "pop3" : "imap");
		assert_string_equal(last.tag, d.protocol == LOGIN_POP3 ? "" : "a2");
		assert_string_equal(
		        last.input, d.protocol == LOGIN_POP3 ? "STAT\r\n" : "a3 SELECT inbox\r\n");
	} else {
		assert_int_equal(last.handed, 0);
	}
	return good;
}

static void plays_all(UNUSED void **state)
{
	play_folder("login", 8, one);
}

static const struct {
	const char *plain;
	size_t len;
	int rc;
	const char *user, *password;
} plains[] = {
	{ L("\0anna\0secret"), 1, "anna", "secret" },
	{ L("anna\0anna\0secret"), 1, "anna", "secret" },
	{ L("ben\0anna\0secret"), -1, NULL, NULL },
	{ L("\0anna\0"), 1, "anna", "" },
	{ L("\0\0secret"), -1, NULL, NULL },
	{ L("\0anna"), -1, NULL, NULL },
	{ L("anna"), -1, NULL, NULL },
	{ L("\0anna\0sec\0ret"), -1, NULL, NULL },
	{ L(""), -1, NULL, NULL },
};

static void decodes_plain(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(plains); i++) {
		struct sv user, password;
		struct buf in, out;

		t_case(plains[i].len ? plains[i].plain + 1 : "nothing");
		buf_init(&in, 1000);
		buf_init(&out, 1000);
		base64_encode(&in, sv_n(plains[i].plain, plains[i].len));
		assert_int_equal(
		        login_plain_decode(buf_sv(&in), &out, &user, &password), plains[i].rc);
		if (plains[i].rc == 1) {
			t_assert_sv(user, plains[i].user);
			t_assert_sv(password, plains[i].password);
		}
		buf_free(&in);
		buf_free(&out);
	}
	struct sv user, password;
	struct buf out;

	buf_init(&out, 1000);
	assert_int_equal(login_plain_decode(SV("!!!"), &out, &user, &password), -1);
	buf_free(&out);
}

/* --- from where a password may come in the clear ------------------------------------------------
 */
static const struct {
	int family;
	const char *address;
	bool loopback;
} addresses[] = {
	{ AF_INET, "127.0.0.1", true },
	{ AF_INET, "127.255.3.4", true },
	{ AF_INET, "128.0.0.1", false },
	{ AF_INET, "10.0.0.1", false },
	{ AF_INET, "0.0.0.0", false },
	{ AF_INET6, "::1", true },
	{ AF_INET6, "::ffff:127.0.0.1", true },
	{ AF_INET6, "::ffff:192.0.2.1", false },
	{ AF_INET6, "::127.0.0.1", false },
	{ AF_INET6, "fe80::1", false },
	{ AF_INET6, "::", false },
};

static void knows_loopback(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct sockaddr_storage ss = { .ss_family = (sa_family_t)addresses[i].family };
		void *to = addresses[i].family == AF_INET
		                   ? (void *)&((struct sockaddr_in *)&ss)->sin_addr
		                   : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr;

		t_case(addresses[i].address);
		assert_int_equal(inet_pton(addresses[i].family, addresses[i].address, to), 1);
		assert_int_equal(login_is_loopback(&ss), addresses[i].loopback);
	}
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };

	assert_false(login_is_loopback(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_plain),
		cmocka_unit_test(knows_loopback),
		cmocka_unit_test(plays_all),
	};
	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
