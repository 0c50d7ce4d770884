/*
 * lib/map/cidr.h - networks in CIDR notation: 10.0.0.0/8, [2001:db8::]/32, single addresses.
 *
 * Layer:    map (pure).
 * Errors:   parsing -1 with *why: not an address, prefix too long, host bits set.
 * Security: host bits in a network are refused, they are a sign of a mistyped mask.
 */
#ifndef MAP_CIDR_H
#define MAP_CIDR_H

#include "lib/base/sv.h"

struct cidr_addr {
	int family; /* AF_INET or AF_INET6 */
	unsigned char octets[16];
};

struct cidr {
	struct cidr_addr net;
	unsigned bits;
};

/* An address without brackets or scope. 1, or 0: not one. */
MUST_USE int cidr_parse_addr(struct sv text, struct cidr_addr *out);
/* "addr", "addr/len", "[addr]", "[addr]/len", "[addr/len]". 0, or -1 with *why. */
MUST_USE int cidr_parse(struct sv text, struct cidr *out, const char **why);
bool cidr_match(const struct cidr *net, const struct cidr_addr *addr);

#endif
