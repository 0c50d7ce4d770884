/*
 * auth/auth_penalty.h - addresses that failed to sign in wait longer each time.
 *
 * Layer:     daemon (pure; time is passed in).
 * Ownership: auth_penalty_new() .. auth_penalty_free().
 * Security:  one IPv6 customer is a /64; the table has a ceiling (the entry that failed longest ago
 *            leaves). Loopback has no penalty: web mail signs everybody in from there.
 */
#ifndef AUTH_AUTH_PENALTY_H
#define AUTH_AUTH_PENALTY_H

#include "lib/base/hash.h"

struct auth_penalty;

struct auth_penalty *auth_penalty_new(struct hash_seed seed, size_t max);
void auth_penalty_free(struct auth_penalty *p);

/* How long an attempt from ADDRESS has to wait now: 0, 2, 4, 8, 15 s. */
int64_t auth_penalty_ms(const struct auth_penalty *p, struct sv address, int64_t now_ms);
void auth_penalty_failed(struct auth_penalty *p, struct sv address, int64_t now_ms);
void auth_penalty_passed(struct auth_penalty *p, struct sv address);
size_t auth_penalty_count(const struct auth_penalty *p);

/* 127.0.0.0/8, ::1, and the former in IPv6 notation. */
bool auth_addr_is_loopback(struct sv address);

#endif
