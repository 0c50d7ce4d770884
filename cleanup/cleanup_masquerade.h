/*
 * cleanup/cleanup_masquerade.h - masquerade_domains: addresses hide the hosts below a domain.
 *
 * Layer:     cleanup (pure).
 * Ownership: results are views of the arguments.
 * Standards: internal; Postfix's ADDRESS_REWRITING_README, postconf(5) masquerade_domains.
 */
#ifndef CLEANUP_MASQUERADE_H
#define CLEANUP_MASQUERADE_H

#include "lib/base/sv.h"

/*
 * What stands for DOMAIN in addresses. DOMAINS are words: "example.com" stands for every domain below it,
 * "!a.example.com" says that domains below it stay as they are. The first word that is DOMAIN or a parent of it
 * decides; none: it stays. The result is a part of DOMAIN.
 */
struct sv masquerade_domain(struct sv domain, const char *domains);

#endif
