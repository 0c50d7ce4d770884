/*
 * lib/clnt/clnt_qmgr.h - client of the queue manager: credits, "a mail arrived", flush.
 *
 * Layer:     clnt (event loop).
 * Ownership: clnt_qmgr_new() borrows the pool (server_pool(s, "qmgr", n)), which must outlive it.
 * Errors:    none of these calls can lose a mail: a queue file that qmgr was not told of is found by its
 *            periodic scan of incoming/. So callers log at most, and go on.
 *
 * In cleanup:    (void)clnt_qmgr_credit(q, in_flow_delay_ms, NULL);   before it takes a mail
 *                (void)clnt_qmgr_arrived(q, id, NULL);                after queue_commit()
 */
#ifndef CLNT_CLNT_QMGR_H
#define CLNT_CLNT_QMGR_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct ipc_pool;
struct clnt_qmgr;

struct clnt_qmgr *clnt_qmgr_new(struct ipc_pool *pool);
void clnt_qmgr_free(struct clnt_qmgr *q); /* NULL allowed */

/*
 * Take a credit for one mail of class net, the submit socket or maildrop (ARCHITECTURE, Flow).
 * Waits at most WAIT_MS (in_flow_delay) when qmgr is behind; 0 never waits. 1  a credit was taken
 *   0  none came in that time: go on
 *  -1  qmgr does not answer (E): go on at once
 */
int clnt_qmgr_credit(struct clnt_qmgr *q, int64_t wait_ms, struct err *e);

/* Tell qmgr that QUEUE_ID was committed in incoming/. Waits for nothing but room in the socket.
 * 1 told, -1 not (E). */
int clnt_qmgr_arrived(struct clnt_qmgr *q, struct sv queue_id, struct err *e);

/*
 * Deliver deferred mail now: of these destination domains, of these queue ids, or all of it when
 * both lists are empty. 1 accepted; 0 refused, with qmgr's reason in E (PERM: this user may not); -1 qmgr
 * could not be asked.
 */
MUST_USE int clnt_qmgr_flush(struct clnt_qmgr *q, const struct sv *sites, size_t nsites,
        const struct sv *ids, size_t nids, int64_t deadline, struct err *e);

#endif
