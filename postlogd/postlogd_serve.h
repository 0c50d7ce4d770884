/*
 * postlogd/postlogd_serve.h - receive lines, hand them to the sink.
 *
 * Layer: postlogd (event loop).
 */
#ifndef POSTLOGD_POSTLOGD_SERVE_H
#define POSTLOGD_POSTLOGD_SERVE_H

#include "lib/server/server.h"

int postlogd_paths(struct server *s, struct err *e);
int postlogd_pre_jail(struct server *s, struct err *e);
int postlogd_post_jail(struct server *s, struct err *e);
void postlogd_stopping(struct server *s);

#endif
