/*
 * lib/tls/tls_sessions_private.h - OpenSSL's sessions in and out.
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_SESSIONS_PRIVATE_H
#define TLS_TLS_SESSIONS_PRIVATE_H

#include <openssl/ssl.h>

#include "lib/tls/tls_sessions.h"

/* Takes over SESSION. */
void tls_sessions_put(struct tls_sessions *s, const char *key, SSL_SESSION *session);
/* The caller's from now on; NULL: none, or too old. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const char *key);

#endif
