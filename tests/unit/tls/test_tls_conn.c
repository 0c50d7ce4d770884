/*
 * Unit test of lib/tls/tls_conn.c and what is below it: both ends on fibers over a socket pair, also with a relay
 * between them that cuts after N octets. Results are collected on the fibers and asserted after the loop.
 */
#include "tests/support/t.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/tls/tls_conn.h"
#include "lib/tls/tls_selfsigned.h"
#include "lib/tls/tls_sessions.h"
#include "tests/support/tmpdir.h"

#define BIG (1u << 20)

static char *dir;
static char ca_file[200], other_ca_file[200];
static struct tls_keys *keys, *other_keys;
static struct tls_tickets *tickets, *other_tickets;

static struct tls_keys *make_keys(const char *name, const char *file)
{
	const char *const names[] = { name, "*.wild.example" };
	struct buf k, c, both;
	struct err e = ERR_INIT;
	buf_init(&k, 4000);
	buf_init(&c, 8000);
	buf_init(&both, 12000);
	if (tls_selfsigned(names, 2, &k, &c, &e) < 0)
		return NULL;
	buf_put_sv(&both, buf_sv(&k));
	buf_put_sv(&both, buf_sv(&c));
	struct tls_keys *made = tls_keys_parse(name, buf_sv(&both), &e);
	FILE *f = fopen(file, "w");
	fputs(buf_z(&c), f);
	fclose(f);
	buf_free(&k);
	buf_free(&c);
	buf_free(&both);
	return made;
}

static void set_tickets(struct tls_tickets *t, int newest, int older)
{
	char octets[2 * TLS_TICKET_KEY_SIZE];
	memset(octets, newest, TLS_TICKET_KEY_SIZE);
	memset(octets + TLS_TICKET_KEY_SIZE, older, TLS_TICKET_KEY_SIZE);
	assert_int_equal(tls_tickets_set(t, sv_n(octets, older ? sizeof(octets) : TLS_TICKET_KEY_SIZE)), 0);
}

static int set_up(void **state)
{
	(void)state;
	dir = tmpdir_new();
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
	snprintf(other_ca_file, sizeof(other_ca_file), "%s/other.pem", dir);
	keys = make_keys("mail.example.test", ca_file);
	other_keys = make_keys("other.example.test", other_ca_file);
	tickets = tls_tickets_new();
	other_tickets = tls_tickets_new();
	return keys && other_keys ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_keys_free(keys);
	tls_keys_free(other_keys);
	tls_tickets_free(tickets);
	tls_tickets_free(other_tickets);
	tmpdir_remove(dir);
	return 0;
}

/* --- one conversation --------------------------------------------------------------------------- */

struct side {
	int fd, rc;
	struct tls_facts facts;
	struct err e;
	char line[64];
	ssize_t end;
	char failure[ERR_TEXT_MAX];
	bool early;
};

struct talk {
	struct tls_ctx *server_ctx, *client_ctx;
	struct tls_client_policy policy;
	int64_t deadline_ms;
	bool abrupt;     /* the client leaves without close_notify */
	bool silent;     /* the client says nothing at all */
	bool bulk;       /* BIG octets to the server and back */
	bool single;     /* one octet a record */
	const char *raw; /* the client says that instead of a handshake */
	long cut;        /* the relay ends both ways after so many octets to the server; -1: no relay */
	struct side server, client;
	size_t bulk_in;
	struct fiber *fiber[4];
	size_t nfibers;
};

static int64_t soon(const struct talk *t)
{
	return fiber_deadline(t->deadline_ms ? t->deadline_ms : 20000);
}

static void keep(struct side *s, struct tls *t)
{
	s->facts = *tls_facts(t);
	snprintf(s->failure, sizeof(s->failure), "%s", tls_failure(t));
}

static void read_bulk(struct talk *t, struct stream *io)
{
	struct sv in;
	while (t->bulk_in < BIG && stream_peek(io, &in, soon(t)) > 0) {
		for (size_t i = 0; i < in.len; i++)
			if (in.p[i] != (char)('a' + (t->bulk_in + i) % 26))
				return;
		t->bulk_in += in.len;
		stream_consume(io, in.len);
	}
}

static void serve(void *arg)
{
	struct talk *t = arg;
	struct tls *c = tls_new_server(t->server_ctx, t->server.fd);
	struct stream *io = tls_stream(c);
	struct sv line;
	t->server.rc = tls_handshake(c, soon(t), &t->server.e);
	if (t->server.rc == 1) {
		t->server.end = stream_line(io, 60, &line, NULL, soon(t));
		if (t->server.end == 1)
			snprintf(t->server.line, sizeof(t->server.line), "%.*s", SV_ARG(line));
		if (t->bulk)
			read_bulk(t, io);
		if (t->server.end == 1) {
			(void)stream_puts(io, "250 ok\r\n");
			(void)stream_flush(io);
			t->server.end = stream_line(io, 60, &line, NULL, soon(t));
		}
	} else {
		t->server.end = stream_line(io, 60, &line, NULL, soon(t));
	}
	keep(&t->server, c);
	stream_free(io);
}

static void say(struct talk *t, struct stream *io)
{
	static const char hello[] = "EHLO client.example\r\n";
	for (const char *p = hello; *p; p++) {
		(void)stream_write(io, p, 1);
		if (t->single)
			(void)stream_flush(io);
	}
	(void)stream_flush(io);
	if (t->bulk) {
		char *big = mem_alloc(BIG);
		for (size_t i = 0; i < BIG; i++)
			big[i] = (char)('a' + i % 26);
		(void)stream_write(io, big, BIG);
		(void)stream_flush(io);
		free(big);
	}
}

static void call(void *arg)
{
	struct talk *t = arg;
	struct sv line;
	if (t->silent || t->raw) {
		if (t->raw && write(t->client.fd, t->raw, strlen(t->raw)) < 0)
			t->client.rc = -2;
		(void)fiber_wait_fd(t->client.fd, FIBER_READ, fiber_deadline(20000));
		fiber_close(t->client.fd);
		return;
	}
	struct tls *c = tls_new_client(t->client_ctx, t->client.fd, &t->policy);
	struct stream *io = tls_stream(c);
	t->client.rc = tls_handshake(c, soon(t), &t->client.e);
	if (t->client.rc == 1) {
		t->client.early = tls_input_waits(c);
		say(t, io);
		t->client.end = stream_line(io, 60, &line, NULL, soon(t));
		if (t->client.end == 1)
			snprintf(t->client.line, sizeof(t->client.line), "%.*s", SV_ARG(line));
	}
	keep(&t->client, c);
	if (t->abrupt)
		(void)shutdown(t->client.fd, SHUT_RDWR);
	stream_free(io);
}

struct pipe_end {
	int from, to;
	long left; /* -1: no limit */
	struct pipe_end *other;
	bool stopped;
};

static void carry(void *arg)
{
	struct pipe_end *p = arg;
	char octets[4096];
	while (p->left != 0 && !p->stopped) {
		if (fiber_wait_fd(p->from, FIBER_READ, fiber_deadline(20000)) != 1)
			break;
		size_t want = p->left > 0 && (size_t)p->left < sizeof(octets) ? (size_t)p->left : sizeof(octets);
		ssize_t n = read(p->from, octets, want);
		if (n <= 0 || write(p->to, octets, (size_t)n) != n)
			break;
		if (p->left > 0)
			p->left -= n;
	}
	p->stopped = p->other->stopped = true;
	(void)shutdown(p->from, SHUT_RDWR);
	(void)shutdown(p->to, SHUT_RDWR);
}

static void run_talk(void *arg)
{
	struct talk *t = arg;
	int a[2], b[2] = { -1, -1 };
	struct pipe_end up, down;
	fiber_fn fns[4] = { serve, call };
	void *args[4] = { t, t };
	size_t n = 2;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a) < 0)
		abort();
	t->server.fd = a[0];
	t->client.fd = a[1];
	if (t->cut >= 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b) < 0)
			abort();
		t->client.fd = b[1];
		up = (struct pipe_end){ .from = b[0], .to = a[1], .left = t->cut, .other = &down };
		down = (struct pipe_end){ .from = a[1], .to = b[0], .left = -1, .other = &up };
		fns[n] = carry;
		args[n++] = &up;
		fns[n] = carry;
		args[n++] = &down;
	}
	struct fiber *f[4];
	for (size_t i = 0; i < n; i++) {
		f[i] = fiber_spawn("side", 0, fns[i], args[i]);
		fiber_hold(f[i]);
	}
	for (size_t i = 0; i < n; i++) {
		(void)fiber_join(f[i], fiber_deadline(60000));
		fiber_release(f[i]);
	}
	if (t->cut >= 0) {
		fiber_close(a[1]);
		fiber_close(b[0]);
	}
	fiber_stop(0);
}

static void talk(struct talk *t)
{
	assert_int_equal(fiber_main(run_talk, t), 0);
}

/* --- contexts ----------------------------------------------------------------------------------- */

static struct tls_common common(void)
{
	return (struct tls_common){ .protocols = { 0x303, 0x304 }, .ciphers = "HIGH", .groups = "X25519:prime256v1",
		.verify_depth = 9, .digest = "sha256" };
}

static struct tls_server_config server_config(void)
{
	struct tls_server_config c = { .common = common(), .service = "smtp", .ticket_lifetime = 3600,
		.tickets = tickets, .alpn = "smtp" };
	c.common.keys = keys;
	return c;
}

static struct tls_ctx *server_ctx(const struct tls_server_config *c)
{
	struct err e = ERR_INIT;
	struct tls_ctx *x = tls_ctx_server(c, &e);
	if (!x)
		fail_msg("%s", e.text);
	return x;
}

static struct tls_ctx *client_ctx(const char *authorities, struct tls_keys *own)
{
	struct tls_common c = common();
	struct err e = ERR_INIT;
	c.trust.file = authorities;
	c.keys = own;
	struct tls_ctx *x = tls_ctx_client(&c, &e);
	if (!x)
		fail_msg("%s", e.text);
	return x;
}

static const char *const good_name[] = { "mail.example.test" };

static struct talk new_talk(struct tls_ctx *server, struct tls_ctx *client, enum tls_level level)
{
	return (struct talk){ .server_ctx = server, .client_ctx = client, .cut = -1,
		.policy = { .level = level, .protocols = { 0x303, 0x304 }, .server_name = "mail.example.test",
			.match = good_name, .nmatch = 1 } };
}

static void end_talk(struct talk *t)
{
	tls_ctx_free(t->server_ctx);
	tls_ctx_free(t->client_ctx);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
	static const struct {
		int min, max;
		const char *name;
	} versions[] = { { 0x303, 0x303, "TLSv1.2" }, { 0x304, 0x304, "TLSv1.3" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_server_config c = server_config();
		struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
		struct buf b;
		t.policy.protocols = (struct tls_protocols){ versions[i].min, versions[i].max };
		t.bulk = true;
		t_case(versions[i].name);
		talk(&t);
		assert_int_equal(t.server.rc, 1);
		assert_int_equal(t.client.rc, 1);
		assert_string_equal(t.server.line, "EHLO client.example");
		assert_string_equal(t.client.line, "250 ok");
		assert_int_equal(t.bulk_in, BIG);
		assert_int_equal(t.server.end, STREAM_EOF); /* close_notify */
		assert_string_equal(t.server.failure, "");
		assert_string_equal(t.server.facts.protocol, versions[i].name);
		assert_string_equal(t.server.facts.sni, "mail.example.test");
		/* with TLS 1.2 a server does not keep it; the cipher's name says as much */
		assert_string_equal(t.client.facts.exchange, "X25519");
		assert_string_equal(t.server.facts.exchange, i ? "X25519" : "");
		assert_string_equal(t.server.facts.server_signature, "ECDSA (P-256)");
		assert_string_equal(t.client.facts.server_signature, "ECDSA (P-256)");
		assert_int_equal(t.server.facts.peer, TLS_PEER_ANONYMOUS);
		assert_int_equal(t.client.facts.peer, TLS_PEER_UNTRUSTED);
		assert_false(t.client.early);
		buf_init(&b, 1000);
		tls_facts_summary(&t.server.facts, &b);
		assert_non_null(strstr(buf_z(&b), versions[i].name));
		assert_non_null(strstr(buf_z(&b), "server-signature ECDSA (P-256) server-digest SHA"));
		buf_reset(&b);
		tls_facts_received(&t.server.facts, &b);
		assert_true(sv_starts(buf_sv(&b), SV("\n\t(using TLSv1.")));
		assert_true(sv_ends(buf_sv(&b), SV(")\n\t(No client certificate requested)")));
		buf_free(&b);
		end_talk(&t);
	}
}

static void test_single_octets(void **state)
{
	struct tls_server_config c = server_config();
	struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
	(void)state;
	t.single = true;
	talk(&t);
	assert_string_equal(t.server.line, "EHLO client.example");
	end_talk(&t);
}

static void test_truncated(void **state)
{
	struct tls_server_config c = server_config();
	struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
	(void)state;
	t.abrupt = true;
	talk(&t);
	assert_int_equal(t.server.end, STREAM_ERR); /* never taken for the end of what was said */
	end_talk(&t);
}

static void test_silent_and_garbage(void **state)
{
	static const char *const raws[] = { "EHLO x\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
		"\x80\x2e\x01\x03\x01 an SSLv2 hello .................................", "\x16\x03\x01\x00\x05hello",
		"\x15\x03\x03\x00\x02\x02\x28" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(raws); i++) {
		struct tls_server_config c = server_config();
		struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
		t.raw = raws[i];
		t.deadline_ms = 500;
		talk(&t);
		assert_int_equal(t.server.rc, 0);
		assert_int_equal(t.server.e.cls, ERR_TEMP);
		assert_non_null(strstr(t.server.e.text, "SSL_accept: "));
		assert_int_equal(t.server.end, STREAM_ERR);
		end_talk(&t);
	}
	struct tls_server_config c = server_config();
	struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
	t.silent = true;
	t.deadline_ms = 100;
	talk(&t);
	assert_int_equal(t.server.rc, 0);
	assert_string_equal(t.server.e.text, "SSL_accept: timeout");
	end_talk(&t);
}

/* A handshake that ends at any octet: both sides come to an end, and say why. */
static void test_cut_anywhere(void **state)
{
	size_t whole = 0;
	(void)state;
	for (long cut = 0; cut < 2000 && whole == 0; cut++) {
		struct tls_server_config c = server_config();
		struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
		t.cut = cut;
		talk(&t);
		if (t.server.rc == 1) {
			if (t.server.end == STREAM_EOF)
				whole = (size_t)cut; /* everything came through */
			else
				assert_int_equal(t.server.end, STREAM_ERR);
		} else {
			assert_int_equal(t.server.rc, 0);
			assert_true(t.server.e.text[0] != '\0');
		}
		end_talk(&t);
	}
	assert_true(whole > 300);
}

static void test_policy(void **state)
{
	static const char *const wrong[] = { "other.example.test" }, *const below[] = { ".wild.example" },
		*const wild[] = { "a.wild.example" };
	const struct {
		const char *what;
		enum tls_level level;
		const char *authorities;
		const char *const *match;
		const char *fingerprint; /* "own": the certificate's, "key": its key's */
		int rc;
		enum tls_peer peer;
		const char *why;
	} cases[] = {
		{ "trusted and the right name", TLS_LEVEL_SECURE, ca_file, good_name, NULL, 1, TLS_PEER_VERIFIED, "" },
		{ "a wildcard", TLS_LEVEL_VERIFY, ca_file, wild, NULL, 1, TLS_PEER_VERIFIED, "" },
		{ "any name below", TLS_LEVEL_SECURE, ca_file, below, NULL, 1, TLS_PEER_VERIFIED, "" },
		{ "the wrong name", TLS_LEVEL_SECURE, ca_file, wrong, NULL, 0, TLS_PEER_TRUSTED, "not verified" },
		{ "another authority", TLS_LEVEL_VERIFY, other_ca_file, good_name, NULL, 0, TLS_PEER_UNTRUSTED,
			"not trusted" },
		{ "no authority", TLS_LEVEL_SECURE, NULL, good_name, NULL, 0, TLS_PEER_UNTRUSTED, "not trusted" },
		{ "encrypt does not care", TLS_LEVEL_ENCRYPT, NULL, wrong, NULL, 1, TLS_PEER_UNTRUSTED, "" },
		{ "fingerprint", TLS_LEVEL_FINGERPRINT, NULL, wrong, "own", 1, TLS_PEER_VERIFIED, "" },
		{ "fingerprint of the key", TLS_LEVEL_FINGERPRINT, NULL, wrong, "key", 1, TLS_PEER_VERIFIED, "" },
		{ "another fingerprint", TLS_LEVEL_FINGERPRINT, ca_file, good_name, "AB:CD", 0, TLS_PEER_TRUSTED,
			"its fingerprint is " },
	};
	char cert_fp[TLS_FINGERPRINT_MAX] = "", key_fp[TLS_FINGERPRINT_MAX] = "";
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_server_config c = server_config();
		struct talk t = new_talk(server_ctx(&c), client_ctx(cases[i].authorities, NULL), cases[i].level);
		const char *fp = cases[i].fingerprint;
		const char *const fps[] = { "00:11", !fp ? "" : strcmp(fp, "own") == 0 ? cert_fp
				: strcmp(fp, "key") == 0 ? key_fp : fp };
		t.policy.match = cases[i].match;
		t.policy.fingerprint = fps;
		t.policy.nfingerprint = 2;
		t_case(cases[i].what);
		talk(&t);
		if (t.client.rc != cases[i].rc)
			fail_msg("%s: %s", cases[i].what, t.client.e.text);
		assert_int_equal(t.client.facts.peer, cases[i].peer);
		assert_non_null(strstr(t.client.e.text, cases[i].why));
		if (cases[i].rc == 0)
			assert_string_equal(t.server.line, ""); /* not an octet of the mail went out */
		snprintf(cert_fp, sizeof(cert_fp), "%s", t.client.facts.cert_fingerprint);
		snprintf(key_fp, sizeof(key_fp), "%s", t.client.facts.key_fingerprint);
		assert_int_equal(strlen(cert_fp), 95);
		end_talk(&t);
	}
}

static void test_client_certificate(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct tls_server_config c = server_config();
		c.ask_certificate = true;
		c.common.trust.file = other_ca_file;
		struct talk t = new_talk(server_ctx(&c),
			client_ctx(NULL, i == 0 ? NULL : i == 1 ? keys : other_keys), TLS_LEVEL_MAY);
		talk(&t);
		assert_int_equal(t.server.rc, 1);
		assert_true(t.server.facts.asked);
		/* our self-signed certificates are for servers: such a purpose is no good for a client */
		assert_int_equal(t.server.facts.peer, i == 0 ? TLS_PEER_ANONYMOUS : TLS_PEER_UNTRUSTED);
		assert_string_equal(t.server.facts.subject,
			i == 0 ? "" : i == 1 ? "mail.example.test" : "other.example.test");
		assert_int_equal(strlen(t.server.facts.cert_fingerprint), i ? 95 : 0);
		end_talk(&t);
	}
}

/* Connect twice with the same store of sessions; was the second one resumed? */
static bool resumes(const struct tls_server_config *first, const struct tls_server_config *second, int version,
	void (*between)(void))
{
	struct tls_sessions *sessions = tls_sessions_new(10, 3600);
	struct tls_ctx *client = client_ctx(ca_file, NULL);
	bool resumed = false;
	for (int i = 0; i < 2; i++) {
		struct talk t = new_talk(server_ctx(i ? second : first), tls_ctx_hold(client), TLS_LEVEL_SECURE);
		t.policy.protocols = (struct tls_protocols){ version, version };
		t.policy.sessions = sessions;
		t.policy.session_key = "mail.example.test";
		talk(&t);
		assert_int_equal(t.client.rc, 1);
		assert_int_equal(t.client.facts.peer, TLS_PEER_VERIFIED);
		assert_int_equal(t.client.facts.resumed, t.server.facts.resumed);
		resumed = t.server.facts.resumed;
		assert_int_equal(tls_sessions_count(sessions), first->ticket_lifetime ? 1 : 0);
		if (i == 0 && between)
			between();
		end_talk(&t);
	}
	tls_sessions_free(sessions);
	tls_ctx_free(client);
	return resumed;
}

static void rotate(void)
{
	set_tickets(tickets, 2, 1);
}

static void replace(void)
{
	set_tickets(tickets, 9, 0);
}

static void test_tickets(void **state)
{
	(void)state;
	for (int version = 0x303; version <= 0x304; version++) {
		struct tls_server_config c = server_config(), other = server_config(), off = server_config();
		other.service = "submission";
		off.ticket_lifetime = 0;
		t_case(version == 0x303 ? "TLS 1.2" : "TLS 1.3");
		set_tickets(tickets, 1, 0);
		set_tickets(other_tickets, 5, 0);
		assert_true(resumes(&c, &c, version, NULL)); /* two contexts: as in two processes */
		assert_true(resumes(&c, &c, version, rotate));
		set_tickets(tickets, 1, 0);
		assert_false(resumes(&c, &c, version, replace)); /* its key is gone */
		assert_false(resumes(&c, &other, version, NULL)); /* same keys, another service */
		other.tickets = other_tickets;
		assert_false(resumes(&c, &other, version, NULL));
		assert_false(resumes(&off, &off, version, NULL));
		assert_int_equal(tls_tickets_set(tickets, SV("")), 0); /* no key yet: no ticket */
		struct tls_sessions *none = tls_sessions_new(10, 3600);
		struct talk t = new_talk(server_ctx(&c), client_ctx(ca_file, NULL), TLS_LEVEL_SECURE);
		t.policy.sessions = none;
		t.policy.session_key = "k";
		talk(&t);
		assert_int_equal(t.client.rc, 1);
		end_talk(&t);
		tls_sessions_free(none);
	}
	assert_int_equal(tls_tickets_set(tickets, SV("short")), -1);
}

static int sni(void *arg, struct sv name, struct tls_keys **out, struct err *e)
{
	int *waited = arg;
	if (sv_eqz(name, "trouble.example"))
		return err_set(e, ERR_TEMP, "the table does not answer");
	if (!sv_eqz(name, "other.example.test"))
		return 0;
	*waited = fiber_sleep(20); /* as a look-up does */
	*out = tls_keys_hold(other_keys);
	return 1;
}

static void test_sni(void **state)
{
	static const struct {
		const char *asked, *subject; /* NULL: the handshake fails */
	} cases[] = {
		{ "other.example.test", "other.example.test" },
		{ "OTHER.example.test", "other.example.test" },
		{ "mail.example.test", "mail.example.test" },
		{ "../../etc/passwd", "mail.example.test" },
		{ "", "mail.example.test" },
		{ "trouble.example", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_server_config c = server_config();
		int waited = 0;
		c.sni = sni;
		c.sni_arg = &waited;
		struct talk t = new_talk(server_ctx(&c), client_ctx(NULL, NULL), TLS_LEVEL_MAY);
		t.policy.server_name = cases[i].asked;
		t_case(cases[i].asked);
		talk(&t);
		assert_int_equal(t.client.rc, cases[i].subject ? 1 : 0);
		if (cases[i].subject)
			assert_string_equal(t.client.facts.subject, cases[i].subject);
		else
			assert_string_equal(t.server.e.text, "the table does not answer");
		assert_int_equal(waited, i < 2 ? 1 : 0);
		end_talk(&t);
	}
}

static void test_bad_contexts(void **state)
{
	struct err e = ERR_INIT;
	struct tls_server_config c = server_config();
	(void)state;
	c.common.ciphers = "NOSUCHCIPHER";
	assert_null(tls_ctx_server(&c, &e));
	assert_non_null(strstr(e.text, "NOSUCHCIPHER"));
	c = server_config();
	c.common.digest = "nosuchdigest";
	assert_null(tls_ctx_server(&c, &e));
	c = server_config();
	c.common.trust.file = "/nonexistent/ca.pem";
	assert_null(tls_ctx_server(&c, &e));
	assert_non_null(strstr(e.text, "/nonexistent/ca.pem"));
	c = server_config();
	c.common.trust.path = dir;
	struct tls_ctx *x = tls_ctx_server(&c, &e);
	assert_non_null(x);
	tls_ctx_free(x);
	c = server_config();
	c.dh_file = ca_file;
	assert_null(tls_ctx_server(&c, &e));
	assert_non_null(strstr(e.text, "Diffie-Hellman"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_single_octets),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_silent_and_garbage),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_sni),
		cmocka_unit_test(test_bad_contexts),
		cmocka_unit_test(test_cut_anywhere),
	};
	return cmocka_run_group_tests_name("tls_conn", tests, set_up, tear_down);
}
