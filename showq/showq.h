/*
 * showq/showq.h - the queue listing as a service.
 */
#ifndef SHOWQ_SHOWQ_H
#define SHOWQ_SHOWQ_H

#include "lib/base/err.h"

struct server;
struct server_conn;

int showq_paths(struct server *s, struct err *e);
int showq_pre_jail(struct server *s, struct err *e);
/* A client connects, gets the listing, and that is all. */
void showq_serve(struct server_conn *sc);

#endif
