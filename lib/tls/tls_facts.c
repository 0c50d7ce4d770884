#include "lib/tls/tls_facts_private.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/tls/tls_error.h"

const char *tls_peer_word(enum tls_peer p)
{
	static const char *const words[] = {
		[TLS_PEER_ANONYMOUS] = "Anonymous",
		[TLS_PEER_UNTRUSTED] = "Untrusted",
		[TLS_PEER_TRUSTED] = "Trusted",
		[TLS_PEER_VERIFIED] = "Verified",
	};
	return (size_t)p < ARRAY_LEN(words) ? words[p] : "?";
}

void tls_facts_summary(const struct tls_facts *f, struct buf *out)
{
	buf_printf(out, "%s with cipher %s (%d/%d bits)", f->protocol ? f->protocol : "?",
		f->cipher ? f->cipher : "?", f->used_bits, f->cipher_bits);
	const struct {
		const char *name, *value;
	} more[] = {
		{ "key-exchange", f->exchange },
		{ "server-signature", f->server_signature },
		{ "server-digest", f->server_digest },
		{ "client-signature", f->client_signature },
		{ "client-digest", f->client_digest },
	};
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		if (more[i].value[0])
			buf_printf(out, " %s %s", more[i].name, more[i].value);
}

/* Inside a comment of a header: no parentheses, no backslash. */
static void put_comment(struct buf *out, const char *z)
{
	for (; *z; z++)
		buf_putc(out, *z == '(' || *z == ')' || *z == '\\' || (unsigned char)*z >= 0x7f ? '?' : *z);
}

void tls_facts_received(const struct tls_facts *f, struct buf *out)
{
	buf_printf(out, "\n\t(using %s with cipher %s (%d/%d bits)", f->protocol ? f->protocol : "?",
		f->cipher ? f->cipher : "?", f->used_bits, f->cipher_bits);
	if (f->exchange[0])
		buf_printf(out, "\n\t key-exchange %s", f->exchange);
	if (f->server_signature[0])
		buf_printf(out, " server-signature %s", f->server_signature);
	if (f->server_digest[0])
		buf_printf(out, " server-digest %s", f->server_digest);
	if (f->client_signature[0])
		buf_printf(out, "\n\t client-signature %s", f->client_signature);
	if (f->client_digest[0])
		buf_printf(out, " client-digest %s", f->client_digest);
	buf_puts(out, ")\n\t(");
	if (f->peer == TLS_PEER_ANONYMOUS) {
		buf_printf(out, "%s)", f->asked ? "Client did not present a certificate" :
			"No client certificate requested");
		return;
	}
	buf_puts(out, "Client CN \"");
	put_comment(out, f->subject);
	buf_puts(out, "\", Issuer \"");
	put_comment(out, f->issuer);
	buf_printf(out, "\" (%s))", f->peer >= TLS_PEER_TRUSTED ? "verified OK" : "not verified");
}

/* --- from OpenSSL ------------------------------------------------------------------------------- */

static const char *nist_name(const char *group)
{
	static const char *const names[][2] = { { "prime256v1", "P-256" }, { "secp384r1", "P-384" },
		{ "secp521r1", "P-521" } };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(group, names[i][0]) == 0)
			return names[i][1];
	return group;
}

static void group_of(const EVP_PKEY *key, char *out, size_t size)
{
	char name[40] = "?";
	size_t len = 0;
	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
		snprintf(name, sizeof(name), "?");
	snprintf(out, size, "%s", nist_name(name));
}

static void read_exchange(struct tls_facts *f, SSL *ssl)
{
	EVP_PKEY *key = NULL;
	char group[40];
	if (SSL_get_peer_tmp_key(ssl, &key) != 1 || !key)
		return;
	if (EVP_PKEY_is_a(key, "EC")) {
		group_of(key, group, sizeof(group));
		snprintf(f->exchange, sizeof(f->exchange), "ECDHE (%s)", group);
	} else if (EVP_PKEY_is_a(key, "DH")) {
		snprintf(f->exchange, sizeof(f->exchange), "DHE (%d bits)", EVP_PKEY_get_bits(key));
	} else if (EVP_PKEY_get0_type_name(key)) {
		snprintf(f->exchange, sizeof(f->exchange), "%s", EVP_PKEY_get0_type_name(key));
	}
	EVP_PKEY_free(key);
}

static void describe_signature(int type, const EVP_PKEY *key, char *out, size_t size)
{
	char group[40];
	if (type == EVP_PKEY_RSA_PSS || type == EVP_PKEY_RSA)
		snprintf(out, size, "%s (%d bits)", type == EVP_PKEY_RSA ? "RSA" : "RSA-PSS",
			key ? EVP_PKEY_get_bits(key) : 0);
	else if (type == EVP_PKEY_EC && key) {
		group_of(key, group, sizeof(group));
		snprintf(out, size, "ECDSA (%s)", group);
	} else {
		snprintf(out, size, "%s", OBJ_nid2sn(type));
	}
}

/* OURS: what this side signed; else what the peer did. */
static void read_signature(SSL *ssl, bool ours, X509 *cert, char *out, size_t size, char *digest, size_t dsize)
{
	int type = 0, md = 0;
	int has_type = ours ? SSL_get_signature_type_nid(ssl, &type) : SSL_get_peer_signature_type_nid(ssl, &type);
	long has_md = ours ? SSL_get_signature_nid(ssl, &md) : SSL_get_peer_signature_nid(ssl, &md);
	if (has_type != 1 || type == NID_undef || !cert)
		return;
	describe_signature(type, X509_get0_pubkey(cert), out, size);
	if (has_md == 1 && md != NID_undef)
		snprintf(digest, dsize, "%s", OBJ_nid2sn(md));
}

static void common_name(X509_NAME *name, char out[TLS_NAME_MAX])
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	out[0] = '\0';
	if (at < 0)
		return;
	int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len > 0 && strlen((char *)utf8) == (size_t)len)
		for (int i = 0; i < len && i < TLS_NAME_MAX - 1; i++) {
			out[i] = (char)(utf8[i] < 0x20 || utf8[i] == 0x7f ? '?' : utf8[i]);
			out[i + 1] = '\0';
		}
	OPENSSL_free(utf8);
}

static void fingerprint(const unsigned char *der, int len, const EVP_MD *digest, char out[TLS_FINGERPRINT_MAX])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	out[0] = '\0';
	if (len <= 0 || EVP_Digest(der, (size_t)len, md, &n, digest, NULL) != 1)
		return;
	for (unsigned i = 0; i < n; i++)
		snprintf(out + (size_t)3 * i, 4, "%02X%s", md[i], i + 1 < n ? ":" : "");
}

static void read_peer(struct tls_facts *f, X509 *cert, SSL *ssl, const EVP_MD *digest)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	fingerprint(der, len, digest, f->cert_fingerprint);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	fingerprint(der, len, digest, f->key_fingerprint);
	OPENSSL_free(der);
	common_name(X509_get_subject_name(cert), f->subject);
	common_name(X509_get_issuer_name(cert), f->issuer);
	int why = (int)SSL_get_verify_result(ssl);
	f->peer = why == X509_V_OK ? TLS_PEER_TRUSTED : TLS_PEER_UNTRUSTED;
	f->untrusted_why = why == X509_V_OK ? NULL : X509_verify_cert_error_string(why);
}

void tls_facts_read(struct tls_facts *f, SSL *ssl, bool server, const EVP_MD *digest)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	f->protocol = SSL_get_version(ssl);
	f->cipher = cipher ? SSL_CIPHER_get_name(cipher) : NULL;
	f->used_bits = cipher ? SSL_CIPHER_get_bits(cipher, &f->cipher_bits) : 0;
	f->resumed = SSL_session_reused(ssl) == 1;
	X509 *peer = SSL_get1_peer_certificate(ssl), *own = SSL_get_certificate(ssl);
	if (!f->resumed || SSL_version(ssl) == TLS1_3_VERSION)
		read_exchange(f, ssl);
	if (!f->resumed) {
		read_signature(ssl, server, server ? own : peer, f->server_signature, sizeof(f->server_signature),
			f->server_digest, sizeof(f->server_digest));
		read_signature(ssl, !server, server ? peer : own, f->client_signature, sizeof(f->client_signature),
			f->client_digest, sizeof(f->client_digest));
	}
	if (peer)
		read_peer(f, peer, ssl, digest);
	X509_free(peer);
	tls_error_clear();
}
