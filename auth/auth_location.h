/*
 * auth/auth_location.h - mail_location made a user's own.
 *
 * Layer:     daemon (pure).
 * Security:  a name goes into a path only as a whole component's part: no '/', no '.' or '-' at its start.
 * Standards: Dovecot: %u (user@domain), %n (the part before '@'), %d (the one behind), %h (home), %%.
 */
#ifndef AUTH_AUTH_LOCATION_H
#define AUTH_AUTH_LOCATION_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Append TEXT with the values filled in. 1, or -1 (CONFIG). */
MUST_USE int auth_location_expand(struct buf *out, struct sv text, struct sv user, struct sv home, struct err *e);

#endif
