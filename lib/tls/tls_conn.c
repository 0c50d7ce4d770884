/*
 * The life of a connection:
 *
 *     NEW --handshake--> OPEN --close_notify or socket's end--> (reads end; writes go on)
 *      \                   \
 *       \___ any error _____\___> DEAD: reads and writes are errors, nothing more is sent
 *
 * OpenSSL never waits: each step calls it, sends what it collected, and waits for the socket when it asks for more.
 */
#include "lib/tls/tls_conn.h"

#include <string.h>

#include <openssl/err.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/tls/tls_bio.h"
#include "lib/tls/tls_ctx_private.h"
#include "lib/tls/tls_error.h"
#include "lib/tls/tls_facts_private.h"
#include "lib/tls/tls_sessions_private.h"
#include "lib/tls/tls_verify.h"

#define HANDSHAKE_MAX (512u * 1024) /* octets that a peer may send in one; 100 kB of certificates is OpenSSL's limit */
#define NO_DATA_MAX   (128u * 1024) /* octets of records without data, one after the other */
#define NO_DATA_ODD   (20u * 1024)  /* more than a record: small steps from then on, others have their turns */
#define BUDGET        (32u * 1024)  /* octets that a call may read: a record and more */
#define BUDGET_ODD    1024u
#define WRITE_MAX     (64u * 1024)  /* in one call: what is collected is four records at most */

enum state { NEW, OPEN, DEAD };

struct tls {
	struct tls_ctx *ctx;
	SSL *ssl;
	struct tls_wire wire;
	struct stream *stream;
	enum state state;
	uint64_t data_at;    /* wire.total_in when data came last */
	int verify_error;    /* the first one */
	struct tls_facts facts;
	struct err failure;
	const struct tls_client_policy *policy; /* while the handshake runs */
	struct tls_sessions *sessions;
	char *session_key;
};

/* --- what the callbacks of the context note ----------------------------------------------------- */

struct tls *tls_of(const SSL *ssl)
{
	return ssl ? SSL_get_app_data(ssl) : NULL;
}

void tls_note_verify(struct tls *t, int error, int depth)
{
	(void)depth;
	if (t->verify_error == X509_V_OK)
		t->verify_error = error;
}

int tls_noted(const struct tls *t)
{
	return t->verify_error;
}

void tls_note_sni(struct tls *t, const char *name, const struct err *failed)
{
	snprintf(t->facts.sni, sizeof(t->facts.sni), "%s", name);
	if (failed && t->failure.cls == ERR_NONE)
		t->failure = *failed;
}

int tls_keep_session(struct tls *t, SSL_SESSION *session)
{
	/* of a server that was not accepted, nothing is kept: before OPEN, only OpenSSL's own steps passed */
	if (!t->sessions || !t->session_key || t->state == DEAD)
		return 0;
	tls_sessions_put(t->sessions, t->session_key, session);
	return 1;
}

/* --- steps -------------------------------------------------------------------------------------- */

/* Why OpenSSL failed, as one text; the queue is empty then. */
static void note_failure(struct tls *t, const char *what)
{
	struct err e = ERR_INIT;
	t->state = DEAD;
	if (t->failure.cls != ERR_NONE) {
		tls_error_clear();
		return;
	}
	if (ERR_peek_error() && !t->wire.eof && !t->wire.err)
		tls_error_take(&e, ERR_TEMP, "%s", what);
	else if (t->wire.err)
		err_sys(&e, t->wire.err, "%s", what);
	else if (t->wire.eof)
		err_set(&e, ERR_TEMP, "%s: the peer closed the connection", what);
	else
		err_set(&e, ERR_TEMP, "%s: OpenSSL gave no reason", what);
	tls_error_clear();
	t->failure = e;
}

/*
 * OpenSSL wants to read more. 1 there may be some, or it is to be asked again; else an error.
 * A call that used up its budget found enough to read: others have their turn, then it goes on.
 */
static int wait_input(struct tls *t, int64_t deadline)
{
	if (t->wire.budget == 0)
		return fiber_yield() < 0 ? STREAM_CANCELLED : fiber_deadline(0) >= deadline ? STREAM_TIMEOUT : 1;
	int rc = fiber_wait_fd(t->wire.fd, FIBER_READ, deadline);
	return rc == 1 ? 1 : rc == 0 ? STREAM_TIMEOUT : STREAM_CANCELLED;
}

/* Before a call into OpenSSL: the queue of errors is of this call alone. */
static void begin(struct tls *t)
{
	tls_error_clear();
	t->wire.budget = t->state == OPEN && t->wire.total_in - t->data_at > NO_DATA_ODD ? BUDGET_ODD : BUDGET;
	t->wire.err = 0;
}

/* After it: send what it left. 1, or an error. */
static int send_collected(struct tls *t, int64_t deadline)
{
	if (t->wire.out.len == 0)
		return 1;
	int rc = tls_wire_flush(&t->wire, deadline);
	if (rc != 1)
		t->state = DEAD; /* half a record may have gone */
	if (rc == STREAM_ERR)
		note_failure(t, "write");
	return rc;
}

/* --- handshake ---------------------------------------------------------------------------------- */

static int finish(struct tls *t, struct err *e)
{
	t->facts.asked = t->ctx->asks;
	tls_facts_read(&t->facts, t->ssl, t->ctx->server, t->ctx->digest);
	if (t->policy && tls_verify_server(t->ssl, t->policy, &t->facts, e) < 0) {
		t->state = DEAD;
		t->failure = *e;
		if (t->sessions)
			tls_sessions_forget(t->sessions, t->session_key);
		return 0;
	}
	t->policy = NULL; /* the caller's, for the handshake only */
	t->state = OPEN;
	t->data_at = t->wire.total_in;
	return 1;
}

static int failed(struct tls *t, int rc, const char *side, struct err *e)
{
	t->state = DEAD;
	if (rc == STREAM_CANCELLED)
		return -1;
	if (rc == STREAM_TIMEOUT && t->failure.cls == ERR_NONE)
		err_set(&t->failure, ERR_TEMP, "%s: timeout", side);
	else if (t->failure.cls == ERR_NONE)
		note_failure(t, side);
	*e = t->failure;
	return 0;
}

int tls_handshake(struct tls *t, int64_t deadline, struct err *e)
{
	const char *side = t->ctx->server ? "SSL_accept" : "SSL_connect";
	while (t->state == NEW) {
		begin(t);
		int done = SSL_do_handshake(t->ssl);
		int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, done);
		if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ) {
			note_failure(t, side);
			tls_wire_try_flush(&t->wire); /* the alert says why */
			return failed(t, STREAM_ERR, side, e);
		}
		int rc = send_collected(t, deadline);
		if (rc == 1 && done == 1)
			return finish(t, e);
		if (rc == 1 && t->wire.total_in > HANDSHAKE_MAX) {
			err_set(&t->failure, ERR_TEMP, "%s: the peer's handshake is endless", side);
			rc = STREAM_ERR;
		}
		if (rc == 1)
			rc = wait_input(t, deadline);
		if (rc != 1)
			return failed(t, rc, side, e);
	}
	return failed(t, STREAM_ERR, side, e);
}

/* --- the stream --------------------------------------------------------------------------------- */

static ssize_t read_error(struct tls *t, int why)
{
	if (why == SSL_ERROR_ZERO_RETURN)
		return STREAM_EOF;
	note_failure(t, "read");
	tls_wire_try_flush(&t->wire);
	return STREAM_ERR;
}

static ssize_t conn_read(void *ctx, void *p, size_t n, int64_t deadline)
{
	struct tls *t = ctx;
	while (t->state == OPEN) {
		size_t got = 0;
		begin(t);
		int ok = SSL_read_ex(t->ssl, p, n, &got);
		int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, ok);
		if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ)
			return read_error(t, why);
		int rc = send_collected(t, deadline);
		if (rc != 1)
			return rc;
		if (ok == 1) {
			t->data_at = t->wire.total_in;
			return (ssize_t)got;
		}
		if (t->wire.total_in - t->data_at > NO_DATA_MAX) {
			err_set(&t->failure, ERR_TEMP, "read: records without data, without end");
			t->state = DEAD;
			return STREAM_ERR;
		}
		rc = wait_input(t, deadline);
		if (rc != 1)
			return rc;
	}
	return STREAM_ERR;
}

static ssize_t conn_write(void *ctx, const void *p, size_t n, int64_t deadline)
{
	struct tls *t = ctx;
	while (t->state == OPEN) {
		size_t put = 0;
		begin(t);
		int ok = SSL_write_ex(t->ssl, p, n < WRITE_MAX ? n : WRITE_MAX, &put);
		int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, ok);
		if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ) {
			note_failure(t, "write");
			return STREAM_ERR;
		}
		int rc = send_collected(t, deadline);
		if (rc == 1 && ok == 1)
			return (ssize_t)put;
		if (rc == 1)
			rc = wait_input(t, deadline);
		if (rc != 1)
			return rc;
	}
	return STREAM_ERR;
}

/* close_notify goes out when there is room for it; nobody waits for the peer's (tls_fast_shutdown_enable). */
static void conn_free(void *ctx)
{
	struct tls *t = ctx;
	tls_error_clear();
	if (t->state == OPEN) {
		(void)SSL_shutdown(t->ssl);
		tls_wire_try_flush(&t->wire);
	}
	SSL_free(t->ssl);
	tls_error_clear();
	tls_wire_fini(&t->wire);
	tls_ctx_free(t->ctx);
	free(t->session_key);
	free(t);
}

static const struct stream_ops conn_ops = { .read = conn_read, .write = conn_write, .free = conn_free };

bool tls_input_waits(struct tls *t)
{
	char octet;
	size_t got = 0;
	if (t->state != OPEN)
		return false;
	if (stream_buffered(t->stream).len)
		return true;
	begin(t);
	int ok = SSL_peek_ex(t->ssl, &octet, 1, &got);
	int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, ok);
	tls_error_clear();
	return why != SSL_ERROR_WANT_READ; /* data, or an end that a read will tell */
}

/* --- making one --------------------------------------------------------------------------------- */

static struct tls *make(struct tls_ctx *c, int fd)
{
	struct tls *t = mem_alloc(sizeof(*t));
	t->ctx = tls_ctx_hold(c);
	tls_wire_init(&t->wire, fd);
	tls_error_clear();
	t->ssl = SSL_new(c->ssl);
	BIO *bio = tls_bio_new(c->bio, &t->wire);
	if (!t->ssl || !bio)
		log_fatal(75, "no memory for a TLS connection");
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	t->stream = stream_new_ops(&conn_ops, t);
	return t;
}

struct tls *tls_new_server(struct tls_ctx *c, int fd)
{
	struct tls *t = make(c, fd);
	SSL_set_accept_state(t->ssl);
	return t;
}

struct tls *tls_new_client(struct tls_ctx *c, int fd, const struct tls_client_policy *p)
{
	struct tls *t = make(c, fd);
	t->policy = p;
	SSL_set_connect_state(t->ssl);
	if (SSL_set_min_proto_version(t->ssl, p->protocols.min) != 1 ||
		SSL_set_max_proto_version(t->ssl, p->protocols.max) != 1 ||
		(p->ciphers && SSL_set_cipher_list(t->ssl, p->ciphers) != 1) ||
		(p->server_name && p->server_name[0] && SSL_set_tlsext_host_name(t->ssl, p->server_name) != 1))
		note_failure(t, "TLS policy");
	if (p->sessions && p->session_key) {
		t->sessions = p->sessions;
		t->session_key = mem_strdup(p->session_key);
		SSL_SESSION *old = tls_sessions_take(p->sessions, p->session_key);
		if (old)
			SSL_set_session(t->ssl, old);
		SSL_SESSION_free(old);
	}
	tls_error_clear();
	return t;
}

struct stream *tls_stream(struct tls *t)
{
	return t->stream;
}

const struct tls_facts *tls_facts(const struct tls *t)
{
	return &t->facts;
}

const char *tls_failure(const struct tls *t)
{
	return t->failure.cls == ERR_NONE || (t->wire.eof && t->state == DEAD) ? "" : t->failure.text;
}
