/*
 * smtp/smtpc_cache.h - connections that wait for the next mail, in this process.
 *
 * Layer:     smtp (event loop).
 * Ownership: the cache owns the sessions in it.
 * Limits:    a session stays for at most smtp_connection_cache_time_limit, SMTPC_CACHE_MAX of them wait; one is
 *            used for smtp_connection_reuse_time_limit and smtp_connection_reuse_count_limit at most.
 */
#ifndef SMTP_SMTPC_CACHE_H
#define SMTP_SMTPC_CACHE_H

#include "smtp/smtpc.h"

#define SMTPC_CACHE_MAX 100

struct smtpc_cache *smtpc_cache_new(const struct smtpc_settings *set);
/* Start the fiber that ends what has waited for too long. 0, or -1 with E. */
MUST_USE int smtpc_cache_run(struct smtpc_cache *c, struct err *e);

/* A session with the server at this place, which seems to be alive; NULL: there is none. */
struct smtpc_session *smtpc_cache_take(struct smtpc_cache *c, const struct smtpc_place *to);
/* S has done its work. MORE: other mail waits for this destination. It is kept, or ended in a fiber of its own: the
 * caller waits for nothing. */
void smtpc_cache_give(struct smtpc_cache *c, struct smtpc_session *s, bool more);

#endif
