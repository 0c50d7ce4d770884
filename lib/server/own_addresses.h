/*
 * lib/server/own_addresses.h - which network addresses are this host's: inet_interfaces, proxy_interfaces.
 *
 * Layer:     server (asks the system and the name service: before the jail).
 * Ownership: own_addresses_find() .. own_addresses_free().
 * Errors:    none: a name that cannot be found is told in the log and left out.
 *
 * trivial-rewrite takes user@[address] for local mail by this list; smtp sends nothing to an address on it.
 */
#ifndef SERVER_OWN_ADDRESSES_H
#define SERVER_OWN_ADDRESSES_H

#include "lib/base/sv.h"

struct own_addresses;

/* Both are lists of addresses and names; "all" and "loopback-only" stand for those of the machine. */
struct own_addresses *own_addresses_find(const char *inet_interfaces, const char *proxy_interfaces);
void own_addresses_free(struct own_addresses *t); /* NULL allowed */
/* Is the address text IP (no brackets) one of them? */
bool own_addresses_have(const struct own_addresses *t, struct sv ip);

#endif
