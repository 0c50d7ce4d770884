/*
 * lib/tls/tls_policy.h - the value of a TLS policy table: "secure match=.example.org protocols=TLSv1.3".
 *
 * Layer:     tls (pure).
 * Ownership: views into the value.
 * Errors:    -1 with class CONFIG: which word is wrong. Nothing is skipped: a policy that is not understood is
 *            no policy, and mail that needs one waits.
 * Standards: internal; smtp_tls_policy_maps of Postfix.
 */
#ifndef TLS_TLS_POLICY_H
#define TLS_TLS_POLICY_H

#include "lib/tls/tls_param.h"

#define TLS_POLICY_MATCH_MAX 32

/* What the value does not say is empty: the client's own parameters count then. */
struct tls_policy {
	enum tls_level level;
	struct sv match[TLS_POLICY_MATCH_MAX]; /* "nexthop", ".example.org"; fingerprints */
	size_t nmatch;
	struct sv protocols, ciphers, exclude, server_name;
};

/* Levels above ENCRYPT take match=; NONE takes nothing. */
MUST_USE int tls_policy_parse(struct sv value, struct tls_policy *out, struct err *e);
/* Add the words of LIST (blanks, commas; for names also ':', for fingerprints also '|' between) to .match. 0, -1. */
MUST_USE int tls_policy_add_match(struct tls_policy *p, struct sv list, bool fingerprints, struct err *e);

#endif
