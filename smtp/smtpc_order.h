/*
 * smtp/smtpc_order.h - which addresses of a destination are tried, and in which order.
 *
 * Layer:     smtp (pure; randomness comes in as a callback).
 * Standards: RFC 5321 5.1 (preference, equal ones at random, oneself and what is worse is left out).
 */
#ifndef SMTP_SMTPC_ORDER_H
#define SMTP_SMTPC_ORDER_H

#include "lib/base/sv.h"

#define SMTPC_IP_MAX 46

struct smtpc_addr {
	struct sv host; /* the name that has this address */
	char ip[SMTPC_IP_MAX];
	int family;
	unsigned pref; /* of the MX record; 0 where there is none */
	bool best;     /* no other address has a better preference */
};

enum smtpc_family { SMTPC_FAMILY_ANY, SMTPC_FAMILY_IPV4, SMTPC_FAMILY_IPV6 };

struct smtpc_order {
	enum smtpc_family first; /* smtp_address_preference */
	bool shuffle;            /* smtp_randomize_addresses */
	bool balance;            /* smtp_balance_inet_protocols */
	unsigned limit;          /* smtp_mx_address_limit; 0 none */
	uint64_t (*random)(void *ctx);
	void *ctx;
};

/* An address that no host of the network has: 0.0.0.0 (connecting to it means this host), multicast, broadcast, IPv4
 * in the clothes of IPv6. */
bool smtpc_order_bogus(int family, const char *ip);
/* By preference, the order of equal ones kept. */
void smtpc_order_by_pref(struct smtpc_addr *v, size_t n);
/* V is in order of preference: how many stand before those that are as good as PREF (ours) or worse. */
size_t smtpc_order_better(const struct smtpc_addr *v, size_t n, unsigned pref);
/* Put V in the order of use; returns how many of them are to be tried. */
size_t smtpc_order_choose(struct smtpc_addr *v, size_t n, const struct smtpc_order *how);

#endif
