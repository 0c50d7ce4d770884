/*
 * lib/tls/tls_param.h - the words of TLS parameters: levels, protocol versions, ciphers, options.
 *
 * Layer:     tls (pure).
 * Ownership: what is written into a struct buf is the caller's.
 * Errors:    -1 with class CONFIG: which word is not understood. A word is never skipped.
 * Security:  whatever is configured, nothing below TLS 1.2 is spoken (RFC 8996), and ciphers without
 *            authentication or encryption are left to OpenSSL's security level, which refuses them.
 * Standards: internal; the words are Postfix's (TLS_README, postconf(5)).
 */
#ifndef TLS_TLS_PARAM_H
#define TLS_TLS_PARAM_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* In the order of strictness, as far as there is one. */
enum tls_level {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE,
};

/* 1 known, 0 a level of Postfix that does not exist here (dane, ...), -1 no level at all. */
MUST_USE int tls_level_parse(struct sv word, enum tls_level *out);
const char *tls_level_name(enum tls_level level);

/* Versions as on the wire (0x0303 is TLS 1.2), both ends included. */
struct tls_protocols {
	int min, max;
};

/*
 * ">=TLSv1.2, <=TLSv1.3", "!SSLv2, !TLSv1" or "TLSv1.2 TLSv1.3". Empty: all. A range with a hole in it is
 * an error, and so is one that leaves nothing from TLS 1.2 up.
 */
MUST_USE int tls_protocols_parse(const char *value, struct tls_protocols *out, struct err *e);
/* "TLSv1.2"; "?" for a version that has no name here. */
const char *tls_protocol_name(int version);

/* tls_high_cipherlist and so on, by grade. */
struct tls_grades {
	const char *high, *medium, *low, *export, *null;
};

/*
 * The OpenSSL list for GRADE without what EXCLUDE and EXCLUDE2 (lists of names; may be NULL or empty) name.
 * 0, or -1.
 */
MUST_USE int tls_ciphers_compose(const struct tls_grades *g, const char *grade, const char *exclude,
	const char *exclude2, struct buf *out, struct err *e);

/* smtpd_tls_eecdh_grade: the groups to offer, ':' between them, those that OpenSSL does not know left out. */
struct tls_curves {
	const char *automatic, *strong, *ultra;
};
MUST_USE int tls_groups_compose(const struct tls_curves *c, const char *grade, struct buf *out, struct err *e);

/* tls_ssl_options: "NO_TICKET, 0x4000". */
MUST_USE int tls_options_parse(const char *value, uint64_t *out, struct err *e);

/* The next word of a list with blanks, commas and colons between words; empty at the end. */
struct sv tls_next_word(struct sv *rest);

#endif
