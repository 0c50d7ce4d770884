/*
 * lib/map/matchlist.h - lists of domains, hosts and strings in parameters: mydestination, mynetworks.
 *
 * Layer:     map.
 * Ownership: matchlist_open() .. matchlist_free(); the environment must outlive the list.
 * Errors:    1 listed, 0 not listed (also: matched by a "!pattern"), -1 could not find out (table
 *            failed, bad network). The first pattern that matches decides.
 * Security:  a pattern that cannot be understood makes matchlist_open() fail: a mistyped network is
 *            never silently nobody's or everybody's. A file that cannot be read makes every match
 *            that comes to its place in the list fail (-1), until the list is opened again.
 * Standards: internal; Postfix's lists: "!pattern", /file/name (patterns inside, # comments),
 *            type:table, names, .name, 10.0.0.0/8, 1.2.3.4, [2001:db8::]/32, [::1].
 */
#ifndef MAP_MATCHLIST_H
#define MAP_MATCHLIST_H

#include "lib/map/maps.h"

struct matchlist;

enum matchlist_flags {
	MATCHLIST_PARENT = 1, /* "example.com" also matches its subdomains (see below) */
};

/*
 * TITLE names the parameter in messages. The list's flags for a parameter: PARENT when
 * parent_domain_matches_subdomains lists it, see matchlist_parent_flag().
 */
MUST_USE struct matchlist *matchlist_open(const char *title, const char *list, unsigned flags,
					  const struct maps_env *env, struct err *e);
void matchlist_free(struct matchlist *m);
bool matchlist_empty(const struct matchlist *m);

/* A string, without regard to ASCII case. */
MUST_USE int matchlist_string(struct matchlist *m, struct sv s, struct err *e);
/* A domain: equal, or below a ".domain" (or below "domain" with MATCHLIST_PARENT). */
MUST_USE int matchlist_domain(struct matchlist *m, struct sv domain, struct err *e);
/* A host by name (empty or "unknown": no name) and address text ("192.0.2.1", "2001:db8::1"). */
MUST_USE int matchlist_host(struct matchlist *m, struct sv name, struct sv address,
			    struct err *e);

/* MATCHLIST_PARENT when PARENT_LIST (parent_domain_matches_subdomains) names TITLE, else 0. */
unsigned matchlist_parent_flag(const char *parent_list, const char *title);

#endif
