/*
 * smtp/smtpc_process.h - the callbacks of struct server_def.
 *
 * Layer: smtp. See lib/server/server.h.
 */
#ifndef SMTP_SMTPC_PROCESS_H
#define SMTP_SMTPC_PROCESS_H

#include "lib/server/server.h"

MUST_USE int smtpc_pre_jail_smtp(struct server *s, struct err *e);
MUST_USE int smtpc_pre_jail_lmtp(struct server *s, struct err *e);
MUST_USE int smtpc_post_jail(struct server *s, struct err *e);
void smtpc_serve(struct server_conn *c);

#endif
