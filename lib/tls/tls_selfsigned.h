/*
 * lib/tls/tls_selfsigned.h - a key and a certificate that it signed itself, for an instance that has none yet.
 *
 * Layer:     tls (reads the clock).
 * Security:  ECDSA P-256; nobody stands for such a certificate: clients can only remember it.
 * Standards: RFC 5280; names in subjectAltName (RFC 6125).
 */
#ifndef TLS_TLS_SELFSIGNED_H
#define TLS_TLS_SELFSIGNED_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define TLS_SELFSIGNED_DAYS 3650

/* For the N host NAMES (the first is the common name, too): PEM, the key first. 0, or -1. */
MUST_USE int tls_selfsigned(const char *const *names, size_t n, struct buf *key, struct buf *cert, struct err *e);

#endif
