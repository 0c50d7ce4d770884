/*
 * lib/tls/tls_trust_private.h - authorities into an OpenSSL context.
 *
 * Layer:     tls (system calls).
 */
#ifndef TLS_TLS_TRUST_PRIVATE_H
#define TLS_TLS_TRUST_PRIVATE_H

#include <openssl/ssl.h>

#include "lib/tls/tls_trust.h"

/* TELL: send the names of the file's authorities to clients, who choose a certificate by them. 0, -1. */
MUST_USE int tls_trust_load(const struct tls_trust *t, SSL_CTX *ctx, bool tell, struct err *e);
/* Certificates of one PEM file into STORE. How many, or -1. */
MUST_USE int tls_trust_file(X509_STORE *store, const char *path, struct err *e);

#endif
