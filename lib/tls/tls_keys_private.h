/*
 * lib/tls/tls_keys_private.h - what the rest of lib/tls does with keys.
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_KEYS_PRIVATE_H
#define TLS_TLS_KEYS_PRIVATE_H

#include <openssl/ssl.h>

#include "lib/tls/tls_keys.h"

/* Give them to a context or to one connection. 0, or -1 with E. */
MUST_USE int tls_keys_to_ctx(const struct tls_keys *k, SSL_CTX *ctx, struct err *e);
MUST_USE int tls_keys_to_ssl(const struct tls_keys *k, SSL *ssl, struct err *e);
/* A whole file, at most TLS_KEYS_FILE_MAX octets. *MODE may be NULL. */
MUST_USE int tls_read_file(const char *path, struct buf *out, unsigned *mode, struct err *e);

#endif
