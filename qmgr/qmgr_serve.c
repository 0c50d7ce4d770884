/* The socket of qmgr: credits, announcements, flush. */
#include <errno.h>
#include <sys/socket.h>

#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "qmgr/qmgr.h"

#define IDLE_MS   (1000 * 1000)
#define WRITE_MS  (10 * 1000)
#define CREDITS   10          /* given at once */
#define CREDIT_MS (10 * 1000) /* longer than that nobody waits for one */

/* Answer when there is room; not at all when there is none for long: the client goes on without. */
static int give_credit(struct qmgr *qm, struct ipc_conn *conn, uint32_t request_id, struct err *e)
{
	int64_t deadline = fiber_deadline(CREDIT_MS);
	while (qmgr_behind(qm) && clock_mono_ms() < deadline) {
		fiber_event_clear(qm->room);
		if (fiber_event_wait(qm->room, deadline) < 0)
			return -1;
	}
	const struct msg_qmgr_credit m = { .mails = CREDITS };
	return msg_qmgr_credit_send(conn, &m, request_id, NULL, 0, fiber_deadline(WRITE_MS), e);
}

/* authorized_flush_users; root and our own programs always may. WHY is the answer to who may not. */
static bool may_flush(struct qmgr *qm, const struct server_conn *c, struct err *why)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char name[USERLIST_NAME_MAX];
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		err_sys(why, errno, "who asks");
		return false;
	}
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	int rc = userlist_allows(qm->flush_users, peer.uid, name, why);
	if (rc == 0)
		err_set(why, ERR_PERM, "user %s(%u) is not in authorized_flush_users", name, (unsigned)peer.uid);
	if (rc != 1)
		log_warn("flush: %s", why->text);
	return rc == 1;
}

static int take_flush(struct qmgr *qm, struct server_conn *c, struct ipc_conn *conn,
        const struct ipc_frame *f, struct err *e)
{
	struct msg_qmgr_flush m;
	struct err why = ERR_INIT;
	if (msg_qmgr_flush_from(f, c->arena, &m, e) != 1)
		return -1;
	bool ok = may_flush(qm, c, &why);
	if (ok && qmgr_flush(qm, &m.sites, &m.queue_ids) < 0) {
		ok = false;
		err_set(&why, ERR_TEMP, "too many flush requests wait already; try again later");
	}
	const struct msg_qmgr_accepted answer = { .ok = ok, .denied = why.cls == ERR_PERM, .text = sv_z(why.text) };
	return msg_qmgr_accepted_send(
	        conn, &answer, f->request_id, NULL, 0, fiber_deadline(WRITE_MS), e);
}

static int answer(struct qmgr *qm, struct server_conn *c, struct ipc_conn *conn,
        const struct ipc_frame *f, struct err *e)
{
	struct msg_qmgr_arrived m;
	if (f->protocol != MSG_qmgr_PROTOCOL)
		return err_set(e, ERR_TEMP, "protocol %u is not for qmgr", f->protocol);
	switch (f->type) {
	case MSG_qmgr_want_credit: return give_credit(qm, conn, f->request_id, e);
	case MSG_qmgr_flush: return take_flush(qm, c, conn, f, e);
	case MSG_qmgr_arrived:
		if (msg_qmgr_arrived_from(f, c->arena, &m, e) != 1)
			return -1;
		/* only our own programs vouch for a finished commit */
		qmgr_arrived(qm, m.queue_id, QUEUE_DIR_INCOMING, strcmp(c->listener, "queue") == 0);
		return 1;
	default: return err_set(e, ERR_TEMP, "request %u is not for qmgr", f->type);
	}
}

void qmgr_serve(struct server_conn *c)
{
	struct qmgr *qm = c->state;
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	int rc = 0;

	while (!server_is_stopping(c->server)) {
		server_conn_idle(c, true);
		rc = ipc_recv(conn, &f, fiber_deadline(IDLE_MS), &e);
		server_conn_idle(c, false);
		if (rc == 1)
			rc = answer(qm, c, conn, &f, &e);
		if (rc != 1)
			break;
		arena_reset(c->arena);
	}
	if (rc < 0 && !qm->stopping)
		log_debug("client: %s", e.text);
	ipc_conn_free(conn);
}
