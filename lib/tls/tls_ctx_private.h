/*
 * lib/tls/tls_ctx_private.h - the inside of a context, for connections.
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_CTX_PRIVATE_H
#define TLS_TLS_CTX_PRIVATE_H

#include <openssl/ssl.h>

#include "lib/tls/tls_ctx.h"

struct tls_ctx {
	unsigned refs;
	SSL_CTX *ssl;
	BIO_METHOD *bio; /* between SSL and the socket */
	bool server;
	int loglevel;
	const EVP_MD *digest;
	bool asks; /* clients for a certificate */
	/* server */
	char *alpn;
	struct tls_tickets *tickets;
	tls_sni_fn *sni;
	void *sni_arg;
};

struct tls;
/* The connection that SSL belongs to (tls_conn.c), and what callbacks note on it. */
struct tls *tls_of(const SSL *ssl);
void tls_note_verify(struct tls *t, int error, int depth);
int tls_noted(const struct tls *t); /* the first error that was noted, or X509_V_OK */
void tls_note_sni(struct tls *t, const char *name, const struct err *failed);
/* 1: the session is kept, 0: it is not wanted. */
int tls_keep_session(struct tls *t, SSL_SESSION *session);
/* tls_bio.c */
BIO_METHOD *tls_bio_method(void);

#endif
