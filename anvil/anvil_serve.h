/*
 * anvil/anvil_serve.h - the service: one connection a client process, and the report to the log.
 *
 * Layer: anvil (event loop).
 */
#ifndef ANVIL_ANVIL_SERVE_H
#define ANVIL_ANVIL_SERVE_H

#include "lib/server/server.h"

int anvil_post_jail(struct server *s, struct err *e);
void anvil_serve(struct server_conn *c);
void anvil_stopping(struct server *s);

#endif
