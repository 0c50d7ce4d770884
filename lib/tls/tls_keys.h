/*
 * lib/tls/tls_keys.h - private keys with their certificate chains: read, checked against one another.
 *
 * Layer:     tls (system calls when files are read).
 * Ownership: counted: tls_keys_hold() .. tls_keys_free(). What uses keys (struct tls_ctx) holds them.
 * Errors:    NULL with E (CONFIG): the file's name, what is wrong with it, what to do.
 * Security:  nothing is read but what the admin named; a key that does not belong to its certificate is
 *            refused here, not at the first handshake. Files are read once: in a jailed process before the
 *            jail closes.
 * Standards: RFC 7468 (PEM), RFC 5280.
 */
#ifndef TLS_TLS_KEYS_H
#define TLS_TLS_KEYS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define TLS_KEYS_FILE_MAX (1u << 20) /* octets of one PEM file */
#define TLS_KEYS_MAX      8          /* pairs of a key and a certificate */

struct tls_keys;

/* File names as in main.cf: "" or NULL is none. */
struct tls_key_files {
	const char *chain_files; /* smtpd_tls_chain_files: in each file or over files, key before certificate */
	/* without that: certificate and key by algorithm; a certificate's file holds its chain, too */
	const char *cert, *key;
	const char *eccert, *eckey;
	const char *dcert, *dkey;
};

/* Nothing is configured: there is nothing to open. */
bool tls_key_files_none(const struct tls_key_files *f);
MUST_USE struct tls_keys *tls_keys_open(const struct tls_key_files *f, struct err *e);
/* From octets: key before certificate, chain behind it. NAME is for messages. */
MUST_USE struct tls_keys *tls_keys_parse(const char *name, struct sv pem, struct err *e);
struct tls_keys *tls_keys_hold(struct tls_keys *k);
void tls_keys_free(struct tls_keys *k);

size_t tls_keys_count(const struct tls_keys *k);
/* What is doubtful about them, number I: an end in the past, a file that everybody may read. NULL past the last. */
const char *tls_keys_warning(const struct tls_keys *k, size_t i);

#endif
