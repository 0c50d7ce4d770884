#include "lib/tls/tls_ctx_private.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "lib/sys/log.h"
#include "lib/tls/tls_error.h"
#include "lib/tls/tls_keys_private.h"
#include "lib/tls/tls_ticket_private.h"
#include "lib/tls/tls_trust_private.h"

struct tls_ctx *tls_ctx_hold(struct tls_ctx *c)
{
	c->refs++;
	return c;
}

void tls_ctx_free(struct tls_ctx *c)
{
	if (!c || --c->refs > 0)
		return;
	SSL_CTX_free(c->ssl);
	BIO_meth_free(c->bio);
	free(c->alpn);
	free(c);
}

static struct tls_ctx *of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* --- callbacks ---------------------------------------------------------------------------------- */

/* Whom to believe is decided after the handshake, by the connection's policy: note what was wrong and go on. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = tls_of(ssl);
	if (!ok && t)
		tls_note_verify(t, X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store));
	/* the first error is the result, also of sessions that are resumed later */
	if (t && tls_noted(t) != X509_V_OK)
		X509_STORE_CTX_set_error(store, tls_noted(t));
	return 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
	int closing)
{
	int rc = tls_tickets_key(of(ssl)->tickets, name, iv, cipher, mac, closing);
	/* a client of TLS 1.3 uses a ticket once: it needs a new one each time */
	return rc == 1 && !closing && SSL_version(ssl) == TLS1_3_VERSION ? 2 : rc;
}

int tls_sni_name(struct sv asked, char out[256])
{
	size_t label = 0;
	bool letter = false;
	if (asked.len == 0 || asked.len > 253)
		return 0;
	for (size_t i = 0; i < asked.len; i++) {
		char c = asked.p[i];
		out[i] = ascii_lower(c);
		bool edge = label == 0 || i + 1 == asked.len || asked.p[i + 1] == '.';
		if (c == '.') {
			if (label == 0)
				return 0;
			label = 0;
			continue;
		}
		if (!ascii_is_alnum(c) && c != '_' && (c != '-' || edge))
			return 0;
		letter |= !ascii_is_digit(c);
		if (++label > 63)
			return 0;
	}
	out[asked.len] = '\0';
	return label > 0 && letter; /* digits and dots alone are an address */
}

/* RFC 6066 3: a name that is not known is no error for a mail server: its own certificate is shown. */
static int on_sni(SSL *ssl, int *alert, void *arg)
{
	struct tls_ctx *c = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls *t = tls_of(ssl);
	char name[256];
	struct tls_keys *keys = NULL;
	struct err e = ERR_INIT;
	if (!asked || !t || tls_sni_name(sv_z(asked), name) != 1)
		return SSL_TLSEXT_ERR_NOACK;
	int rc = c->sni ? c->sni(c->sni_arg, sv_z(name), &keys, &e) : 0;
	if (rc == 1) {
		rc = tls_keys_to_ssl(keys, ssl, &e) < 0 ? -1 : 1;
		tls_keys_free(keys);
	}
	tls_note_sni(t, name, rc < 0 ? &e : NULL);
	if (rc < 0) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return rc == 1 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A client that names protocols and ours is not among them was led here by somebody (ALPACA). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
	unsigned inlen, void *arg)
{
	const struct tls_ctx *c = arg;
	size_t len = strlen(c->alpn);
	(void)ssl;
	for (unsigned i = 0; i < inlen; i += 1u + in[i])
		if (in[i] == len && i + 1 + len <= inlen && memcmp(in + i + 1, c->alpn, len) == 0) {
			*out = in + i + 1;
			*outlen = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void on_step(const SSL *ssl, int where, int ret)
{
	const char *side = (where & ~SSL_ST_MASK) & SSL_ST_ACCEPT ? "SSL_accept" : "SSL_connect";
	if (where & SSL_CB_LOOP)
		log_info("%s: %s", side, SSL_state_string_long(ssl));
	else if (where & SSL_CB_ALERT)
		log_info("SSL3 alert %s: %s: %s", where & SSL_CB_READ ? "read" : "write",
			SSL_alert_type_string_long(ret), SSL_alert_desc_string_long(ret));
}

/* A session that the server lets us resume; with TLS 1.3 it comes after the handshake. 1: it was taken. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = tls_of(ssl);
	return t ? tls_keep_session(t, session) : 0;
}

/* --- making one --------------------------------------------------------------------------------- */

static struct tls_ctx *make(bool server)
{
	struct tls_ctx *c = mem_alloc(sizeof(*c));
	c->refs = 1;
	c->server = server;
	tls_error_clear();
	c->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!c->ssl)
		log_fatal(75, "OpenSSL makes no context: no memory, or no default provider in openssl.cnf");
	SSL_CTX_set_app_data(c->ssl, c);
	c->bio = tls_bio_method();
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* a record's head and body in one read */
	SSL_CTX_set_read_ahead(c->ssl, 1);
	return c;
}

static int set_common(struct tls_ctx *c, const struct tls_common *m, struct err *e)
{
	c->loglevel = m->loglevel;
	c->digest = EVP_get_digestbyname(m->digest && m->digest[0] ? m->digest : "sha256");
	if (!c->digest)
		return err_set(e, ERR_CONFIG, "\"%s\" is no digest for fingerprints: sha256 is", m->digest);
	SSL_CTX_set_options(c->ssl, m->options | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(c->ssl, SSL_OP_LEGACY_SERVER_CONNECT & ~m->options);
	if (SSL_CTX_set_min_proto_version(c->ssl, m->protocols.min) != 1 ||
		SSL_CTX_set_max_proto_version(c->ssl, m->protocols.max) != 1)
		return tls_error_take(e, ERR_CONFIG, "protocol versions");
	if (m->ciphers && SSL_CTX_set_cipher_list(c->ssl, m->ciphers) != 1)
		return tls_error_take(e, ERR_CONFIG, "the cipher list \"%s\"", m->ciphers);
	if (m->groups && SSL_CTX_set1_groups_list(c->ssl, m->groups) != 1)
		return tls_error_take(e, ERR_CONFIG, "the curves \"%s\"", m->groups);
	if (m->keys && tls_keys_to_ctx(m->keys, c->ssl, e) < 0)
		return -1;
	SSL_CTX_set_verify_depth(c->ssl, m->verify_depth > 0 ? m->verify_depth : 9);
	if (m->loglevel >= 2)
		SSL_CTX_set_info_callback(c->ssl, on_step);
	return tls_trust_load(&m->trust, c->ssl, c->server, e);
}

static int set_dh(struct tls_ctx *c, const char *file, struct err *e)
{
	struct buf pem;
	if (!file || !file[0] || strcmp(file, "auto") == 0) {
		SSL_CTX_set_dh_auto(c->ssl, 1);
		return 0;
	}
	buf_init(&pem, TLS_KEYS_FILE_MAX + 1);
	int rc = tls_read_file(file, &pem, NULL, e);
	if (rc == 0) {
		BIO *in = BIO_new_mem_buf(buf_z(&pem), (int)pem.len);
		EVP_PKEY *dh = PEM_read_bio_Parameters(in, NULL);
		BIO_free(in);
		if (!dh || SSL_CTX_set0_tmp_dh_pkey(c->ssl, dh) != 1) {
			EVP_PKEY_free(dh);
			rc = tls_error_take(e, ERR_CONFIG, "%s: no parameters for Diffie-Hellman that OpenSSL takes "
				"(2048 bits at least; \"auto\" needs no file)", file);
		}
	}
	buf_free(&pem);
	return rc;
}

static int set_sessions(struct tls_ctx *c, const struct tls_server_config *s, struct err *e)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	/* 32 octets: as many as such a context may have */
	if (EVP_Digest(s->service, strlen(s->service), id, &len, EVP_sha256(), NULL) != 1 ||
		SSL_CTX_set_session_id_context(c->ssl, id, len) != 1)
		return tls_error_take(e, ERR_CONFIG, "session context");
	/* sessions are in tickets or nowhere: nothing is kept here, which a client could make grow */
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
	c->tickets = s->ticket_lifetime > 0 ? s->tickets : NULL;
	if (!c->tickets) {
		SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(c->ssl, 0);
		return 0;
	}
	SSL_CTX_set_timeout(c->ssl, s->ticket_lifetime);
	SSL_CTX_set_num_tickets(c->ssl, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, on_ticket);
	return 0;
}

struct tls_ctx *tls_ctx_server(const struct tls_server_config *s, struct err *e)
{
	struct tls_ctx *c = make(true);
	c->asks = s->ask_certificate;
	c->sni = s->sni;
	c->sni_arg = s->sni_arg;
	if (set_common(c, &s->common, e) < 0 || set_dh(c, s->dh_file, e) < 0 || set_sessions(c, s, e) < 0) {
		tls_ctx_free(c);
		return NULL;
	}
	if (s->server_preference)
		SSL_CTX_set_options(c->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (s->ask_certificate)
		SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_verify);
	SSL_CTX_set_tlsext_servername_callback(c->ssl, on_sni);
	SSL_CTX_set_tlsext_servername_arg(c->ssl, c);
	if (s->alpn && s->alpn[0]) {
		c->alpn = mem_strdup(s->alpn);
		SSL_CTX_set_alpn_select_cb(c->ssl, on_alpn, c);
	}
	return c;
}

struct tls_ctx *tls_ctx_client(const struct tls_common *m, struct err *e)
{
	struct tls_ctx *c = make(false);
	if (set_common(c, m, e) < 0) {
		tls_ctx_free(c);
		return NULL;
	}
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, on_verify);
	/* the caller keeps sessions, by destination: tls_session_cache.h */
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(c->ssl, on_session);
	return c;
}
