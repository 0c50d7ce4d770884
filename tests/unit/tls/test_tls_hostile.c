/*
 * What a peer may do inside TLS that is no data (C10): floods of KeyUpdate, renegotiation. The hostile client is
 * OpenSSL itself, in a thread; the server a fiber, beside another fiber that must get its turns.
 */
#include "tests/support/t.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/tls/tls_conn.h"
#include "lib/tls/tls_selfsigned.h"
#include "tests/support/tmpdir.h"

enum attack { KEY_UPDATES, KEY_UPDATES_ASKED, RENEGOTIATION };

struct scene {
	enum attack attack;
	struct tls_ctx *ctx;
	int server_fd, client_fd;
	int handshake;
	int result;           /* of the server's read */
	char failure[ERR_TEXT_MAX];
	bool done;
	int64_t longest_turn; /* ms between two turns of the other fiber */
	unsigned sent;        /* by the attacker, until it was cut off */
	bool refused;         /* its renegotiation */
};

/* Discard what the server answers, so that it can go on writing. */
static void drain(int fd)
{
	char octets[4096];
	while (recv(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		continue;
}

static void flood(struct scene *s, SSL *ssl, int how)
{
	for (s->sent = 0; s->sent < 200000; s->sent++) {
		if (SSL_key_update(ssl, how) != 1 || SSL_do_handshake(ssl) != 1)
			break;
		if (s->sent % 64 == 0)
			drain(s->client_fd);
	}
}

static void renegotiate(struct scene *s, SSL *ssl)
{
	char octet;
	(void)SSL_renegotiate(ssl);
	int rc = SSL_do_handshake(ssl);
	if (rc == 1) /* it was asked for; the answer comes with the next read */
		rc = SSL_read(ssl, &octet, 1);
	s->refused = rc <= 0;
}

static void *attacker(void *arg)
{
	struct scene *s = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (s->attack == RENEGOTIATION)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, s->client_fd);
	if (SSL_connect(ssl) == 1) {
		if (s->attack == RENEGOTIATION)
			renegotiate(s, ssl);
		else
			flood(s, ssl, s->attack == KEY_UPDATES ? SSL_KEY_UPDATE_NOT_REQUESTED
							       : SSL_KEY_UPDATE_REQUESTED);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(s->client_fd);
	return NULL;
}

static void serve(void *arg)
{
	struct scene *s = arg;
	struct err e = ERR_INIT;
	struct sv in;
	struct tls *t = tls_new_server(s->ctx, s->server_fd);
	struct stream *io = tls_stream(t);
	s->handshake = tls_handshake(t, fiber_deadline(20000), &e);
	s->result = (int)stream_peek(io, &in, fiber_deadline(30000));
	snprintf(s->failure, sizeof(s->failure), "%s", tls_failure(t));
	stream_free(io);
	s->done = true;
}

static void play(void *arg)
{
	struct scene *s = arg;
	struct fiber *f = fiber_spawn("serve", 0, serve, s);
	fiber_hold(f);
	int64_t last = clock_mono_ms();
	while (!s->done) {
		if (fiber_sleep(1) != 1)
			break;
		int64_t now = clock_mono_ms();
		if (now - last > s->longest_turn)
			s->longest_turn = now - last;
		last = now;
	}
	fiber_release(f);
	fiber_stop(0);
}

static struct tls_keys *keys;

static int make_keys(void **state)
{
	const char *const names[] = { "mail.example.test" };
	struct buf k, c;
	struct err e = ERR_INIT;
	(void)state;
	buf_init(&k, 12000);
	buf_init(&c, 8000);
	if (tls_selfsigned(names, 1, &k, &c, &e) < 0)
		return -1;
	buf_put_sv(&k, buf_sv(&c));
	keys = tls_keys_parse("test", buf_sv(&k), &e);
	buf_free(&k);
	buf_free(&c);
	return keys ? 0 : -1;
}

static int drop_keys(void **state)
{
	(void)state;
	tls_keys_free(keys);
	return 0;
}

static void run(struct scene *s)
{
	const struct tls_server_config c = { .common = { .keys = keys, .protocols = { 0x303, 0x304 } },
		.service = "smtp" };
	struct err e = ERR_INIT;
	int fds[2];
	pthread_t thread;
	s->ctx = tls_ctx_server(&c, &e);
	assert_non_null(s->ctx);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->server_fd = fds[0];
	s->client_fd = fds[1];
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(pthread_create(&thread, NULL, attacker, s), 0);
	assert_int_equal(fiber_main(play, s), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	tls_ctx_free(s->ctx);
}

static void test_key_updates(void **state)
{
	static const enum attack attacks[] = { KEY_UPDATES, KEY_UPDATES_ASKED };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
		struct scene s = { .attack = attacks[i] };
		t_case(i ? "asking for answers" : "one way");
		run(&s);
		assert_int_equal(s.handshake, 1);
		assert_int_equal(s.result, STREAM_ERR);
		assert_true(s.sent < 200000); /* cut off on the way */
		if (i == 0)
			assert_non_null(strstr(s.failure, "records without data"));
		/* others had their turns; generous, for a machine that does much else */
		assert_true(s.longest_turn < 2000);
	}
}

static void test_renegotiation(void **state)
{
	struct scene s = { .attack = RENEGOTIATION };
	(void)state;
	run(&s);
	assert_int_equal(s.handshake, 1);
	assert_true(s.refused);
	assert_true(s.result <= 0);
}

/* --- a certificate with a NUL in its name ----------------------------------------------------------- */

static const char evil[] = "mail.example.test\0.evil.example";

/* dNSName or, with none, common name: what stands before the NUL is the name that is wanted. */
static struct tls_keys *evil_keys(bool dns, const char *ca_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, V_ASN1_UTF8STRING,
		(const unsigned char *)evil, sizeof(evil) - 1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	if (dns) {
		GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
		GENERAL_NAME *g = GENERAL_NAME_new();
		ASN1_IA5STRING *s = ASN1_IA5STRING_new();
		ASN1_STRING_set(s, evil, sizeof(evil) - 1);
		GENERAL_NAME_set0_value(g, GEN_DNS, s);
		sk_GENERAL_NAME_push(names, g);
		X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0);
		GENERAL_NAMES_free(names);
	}
	X509_sign(x, key, EVP_sha256());
	BIO *pem = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(pem, x);
	char *p;
	long n = BIO_get_mem_data(pem, &p);
	FILE *f = fopen(ca_file, "w");
	PEM_write_X509(f, x);
	fclose(f);
	struct err e = ERR_INIT;
	struct tls_keys *k = tls_keys_parse("evil", sv_n(p, (size_t)n), &e);
	BIO_free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
	return k;
}

struct visit {
	struct tls_ctx *server, *client;
	int fds[2];
	int rc;
	struct err e;
	char subject[TLS_NAME_MAX];
	bool trusted;
};

static void host(void *arg)
{
	struct visit *v = arg;
	struct err e = ERR_INIT;
	struct tls *t = tls_new_server(v->server, v->fds[0]);
	(void)!tls_handshake(t, fiber_deadline(10000), &e);
	stream_free(tls_stream(t));
}

static void visit(void *arg)
{
	static const char *const wanted[] = { "mail.example.test" };
	const struct tls_client_policy p = { .level = TLS_LEVEL_SECURE, .protocols = { 0x303, 0x304 }, .match = wanted,
		.nmatch = 1 };
	struct visit *v = arg;
	struct fiber *f = fiber_spawn("host", 0, host, v);
	fiber_hold(f);
	struct tls *t = tls_new_client(v->client, v->fds[1], &p);
	v->rc = tls_handshake(t, fiber_deadline(10000), &v->e);
	v->trusted = tls_facts(t)->peer >= TLS_PEER_TRUSTED;
	snprintf(v->subject, sizeof(v->subject), "%s", tls_facts(t)->subject);
	stream_free(tls_stream(t));
	(void)fiber_join(f, fiber_deadline(10000));
	fiber_release(f);
	fiber_stop(0);
}

static void test_nul_in_names(void **state)
{
	char *dir = tmpdir_new(), ca[300];
	(void)state;
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	for (int dns = 0; dns < 2; dns++) {
		struct visit v = { .rc = 9 };
		struct err e = ERR_INIT;
		struct tls_keys *k = evil_keys(dns, ca);
		assert_non_null(k);
		const struct tls_server_config sc = { .common = { .keys = k, .protocols = { 0x303, 0x304 } },
			.service = "x" };
		const struct tls_common cc = { .protocols = { 0x303, 0x304 }, .trust = { .file = ca } };
		v.server = tls_ctx_server(&sc, &e);
		v.client = tls_ctx_client(&cc, &e);
		assert_true(v.server && v.client);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, v.fds), 0);
		assert_int_equal(fiber_main(visit, &v), 0);
		assert_true(v.trusted); /* its authority is believed, and still */
		assert_int_equal(v.rc, 0);
		assert_non_null(strstr(v.e.text, "not verified"));
		assert_string_equal(v.subject, ""); /* such a name is none */
		tls_ctx_free(v.server);
		tls_ctx_free(v.client);
		tls_keys_free(k);
	}
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_nul_in_names),
	};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("tls_hostile", tests, make_keys, drop_keys);
}
