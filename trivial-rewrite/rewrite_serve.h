/* trivial-rewrite/rewrite_serve.h - one connection: questions in, answers out. */
#ifndef REWRITE_SERVE_H
#define REWRITE_SERVE_H

#include "lib/server/server.h"
#include "trivial-rewrite/resolve_tables.h"

#define REWRITE_BATCH_MAX 1000 /* addresses of one question */

/* Serve until the peer is gone or breaks the protocol. */
void rewrite_serve(struct server_conn *c);

/* One question, one answer; for tests too. 1; -1 with E: the question is not one. */
MUST_USE int rewrite_answer(struct resolve_tables *t, const struct ipc_frame *f, struct arena *a,
        uint16_t *type, struct buf *body, struct err *e);

#endif
