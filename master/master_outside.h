/*
 * master/master_outside.h - sockets of other programs that lmtp is connected to.
 *
 * Layer:    daemon (pure but for the configuration).
 * Security: lmtp talks to strangers and asks; master connects with more rights than lmtp has. So a path has to be
 *           the admin's word: one that a parameter of main.cf names, or a socket that somebody has put into
 *           private/ itself. Never one of this instance's own sockets.
 */
#ifndef MASTER_OUTSIDE_H
#define MASTER_OUTSIDE_H

#include "lib/config/config.h"

/* Does VALUE ("lmtp:unix:/run/x, ...") name the socket PATH? */
bool outside_named(struct sv value, struct sv path);
/*
 * May lmtp be connected to PATH ("private/x", or absolute)? QUEUE_DIR: of this instance. 0; -1 with E (CONFIG), which
 * says what to write into main.cf.
 */
MUST_USE int outside_allowed(const struct config *cfg, const char *queue_dir, struct sv path, struct err *e);

#endif
