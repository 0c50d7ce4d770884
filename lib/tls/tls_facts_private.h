/*
 * lib/tls/tls_facts_private.h - facts read from OpenSSL.
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_FACTS_PRIVATE_H
#define TLS_TLS_FACTS_PRIVATE_H

#include <openssl/ssl.h>

#include "lib/tls/tls_facts.h"

/* After a handshake; .sni, .matched, .peer VERIFIED and .untrusted_why are the connection's to add. */
void tls_facts_read(struct tls_facts *f, SSL *ssl, bool server, const EVP_MD *digest);

#endif
