/*
 * trivial-rewrite/rewrite_addr.h - the canonical form of one address.
 *
 * Layer:     trivial-rewrite (pure).
 * Ownership: writes only into the caller's buffer; the rules borrow their strings.
 * Errors:    0 done, -1 the buffer's ceiling: the address is too long.
 * Security:  the address is a stranger's. Every step is linear and runs a bounded number of times.
 * Standards: RFC 5321 appendix C (source routes), appendix F.2; main.cf: append_at_myorigin,
 *            append_dot_mydomain, swap_bangpath, allow_percent_hack.
 *
 * Addresses are in internal form, so quotes are gone. A local part that would need quotes is one
 * word to rewrite_addr(): '!' and '%' in it mean nothing. The resolver cracks such words open
 * (resolve_dequoted_address) so that quotes are no way around the relay rules.
 */
#ifndef REWRITE_ADDR_H
#define REWRITE_ADDR_H

#include "lib/base/buf.h"

struct rewrite_rules {
	bool append_at_myorigin;
	bool append_dot_mydomain;
	bool swap_bangpath;
	bool percent_hack;
};

/* What completes an address: "local" has myorigin and mydomain, "remote" has
 * remote_header_rewrite_domain twice. Empty: nothing is appended. */
struct rewrite_context {
	struct sv origin;
	struct sv domain;
};

/* ADDR without its source routes: what stands behind the ":" of "@a,@b:user@c". */
struct sv rewrite_strip_routes(struct sv addr);

/* Append the canonical form of ADDR to OUT. CRACK: words that need quotes are searched for
 * routing operators too. An empty address stays empty. */
MUST_USE int rewrite_addr(const struct rewrite_rules *r, const struct rewrite_context *c,
        struct sv addr, bool crack, struct buf *out);

#endif
