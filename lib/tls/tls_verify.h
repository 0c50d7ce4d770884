/*
 * lib/tls/tls_verify.h - is the server the one that the policy demands?
 *
 * Layer:     tls.
 */
#ifndef TLS_TLS_VERIFY_H
#define TLS_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "lib/tls/tls_conn.h"

/*
 * Judge the server's certificate; sets .peer VERIFIED and .matched of F. 0, or -1 with E (TEMP): the policy is not
 * met. Levels below FINGERPRINT demand nothing, but a name that fits is noted.
 */
MUST_USE int tls_verify_server(SSL *ssl, const struct tls_client_policy *p, struct tls_facts *f, struct err *e);

#endif
