/*
 * lib/config/computed.h - defaults that depend on the machine: host name, networks, prefix.
 *
 * Layer:  config (system calls: gethostname, getifaddrs).
 * Errors: 0, or -1 with *e (mynetworks_style is wrong, interfaces cannot be listed).
 */
#ifndef CONFIG_COMPUTED_H
#define CONFIG_COMPUTED_H

#include "lib/config/config.h"

/* Append the value of the default "@KIND". */
MUST_USE int computed_default(const struct config *cfg, const char *kind, struct buf *out,
			      struct err *e);

#endif
