/*
 * lib/tls/tls_trust.h - which authorities are believed: read once, whole, before a jail closes.
 *
 * Layer:     tls (system calls).
 * Errors:    -1 with E (CONFIG): the file that cannot be read, or holds no certificate.
 * Security:  with nothing configured nobody is believed; the system's own authorities only when asked for.
 *            A directory is read at once, not looked into later: a jailed process could not.
 */
#ifndef TLS_TLS_TRUST_H
#define TLS_TLS_TRUST_H

#include "lib/base/err.h"

struct tls_trust {
	const char *file;     /* smtp_tls_CAfile; "" or NULL: none */
	const char *path;     /* smtp_tls_CApath: every file in it */
	bool append_defaults; /* tls_append_default_CA: what OpenSSL was built to believe */
};

#endif
