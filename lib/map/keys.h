/*
 * lib/map/keys.h - which keys an address or a domain is looked up by, and in which order.
 *
 * Layer:     map (pure).
 * Ownership: keys live inside struct map_keys, which is plain data; reuse it freely.
 * Errors:    an address longer than MAP_KEYS_ADDR_MAX gives no keys at all: it is in no table.
 * Standards: internal; the orders of Postfix's canonical(5), virtual(5), transport(5), access(5).
 */
#ifndef MAP_KEYS_H
#define MAP_KEYS_H

#include "lib/base/sv.h"

#define MAP_KEYS_MAX 64
#define MAP_KEYS_ADDR_MAX 1024 /* octets of an address */

struct map_key {
	struct sv key;
	bool partial; /* derived from the address: not for pattern tables */
	bool no_ext;  /* matched without the extension: it may be propagated */
};

struct map_keys {
	struct map_key v[MAP_KEYS_MAX];
	size_t n;
	struct sv ext; /* "+detail" with its delimiter, or empty */
	size_t used;
	char text[3 * MAP_KEYS_ADDR_MAX];
};

/* How addresses are taken apart. */
struct map_key_rules {
	const char *delimiters;     /* recipient_delimiter */
	bool owner_request_special; /* owner-x and x-request are not split */
	bool local;                 /* the domain is a local one: user+ext and user are keys too */
	bool no_at_domain;          /* leave "@domain" out (local users, sender_login) */
	bool with_domain;           /* access(5): also domain and parent domains, and "user@" */
	bool parents;               /* ... parent "example.com", else ".example.com" */
};

/*
 * canonical(5), virtual(5), and their relatives: user+ext@domain, user@domain, then for local
 * domains user+ext, user, then @domain. ADDRESS is in internal form; one without '@' gives
 * user+ext, user.
 */
void map_keys_addr(struct map_keys *out, struct sv address, const struct map_key_rules *rules);
/* transport(5): user+ext@domain, user@domain, domain, .parent domains (or plain with PARENTS), "*" */
void map_keys_transport(struct map_keys *out, struct sv address, const struct map_key_rules *rules);
/* domain, then .parent of each level; with PARENTS, parent instead of .parent. */
void map_keys_domain(struct map_keys *out, struct sv domain, bool parents);
/* 1.2.3.4, 1.2.3, 1.2, 1 (or the same of 2001:db8::1 by ':'), as access(5). */
void map_keys_ip(struct map_keys *out, struct sv ip);
/* Just KEY. */
void map_keys_one(struct map_keys *out, struct sv key);

/* The extension to append to a result that key number WHICH found: KEYS->ext, or empty. */
struct sv map_keys_unmatched_ext(const struct map_keys *keys, size_t which);

#endif
