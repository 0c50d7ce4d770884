/* The request "mailbox": as local delivers into mailboxes of its own uid. */
#include <unistd.h>

#include "lib/deliver/deliver_mailbox.h"
#include "lib/fiber/fiber.h"
#include "lib/store/mbox_append.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "postman/postman.h"

#define SEND_MS 30000

static void deliver(struct postman_session *s, const struct msg_postman_mailbox *m, int fd,
        struct deliver_outcome *out)
{
	struct deliver_rcpt rcpt = {
		.offset = m->offset, .recipient = m->recipient, .original = m->original };
	struct deliver_request rq = { .queue_id = m->queue_id,
		.nonce = m->nonce,
		.flags = m->flags,
		.sender = m->sender,
		.arrival_us = m->arrival_us,
		.fd = fd,
		.content_offset = m->content_offset,
		.content_size = m->content_size,
		.rcpts = &rcpt,
		.nrcpts = 1,
		.arena = s->arena };
	const struct mbox_rules rules = { .size_limit = m->size_limit, .locks = m->locks, .attempts = m->attempts,
		.pause_ms = m->pause_ms, .stale_s = m->stale_s };
	const struct deliver_mailbox box = { .store = s->postman->store,
		.account = { .owner = m->owner,
			.home = m->home,
			.mail = m->mail,
			.uid = getuid(),
			.create = true },
		.delivered_to = m->delivered_to,
		.size_limit = m->size_limit,
		.mbox = m->attempts > 0 ? &rules : NULL,
		.maybe_before = m->maybe_before };
	struct sv elsewhere;
	if (deliver_mailbox(&rq, 0, &box, out, &elsewhere) == 0)
		log_bug("nobody is there to redirect mail");
}

int postman_mailbox(struct postman_session *s, struct ipc_frame *f, struct err *e)
{
	struct msg_postman_mailbox m;
	struct deliver_outcome o = { .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	char code[DSN_TEXT_MAX];
	int fd = ipc_take_fd(f, 0);
	int rc = msg_postman_mailbox_decode(f->body, s->arena, &m, e);
	if (rc == 1 && (fd < 0 || m.pause_ms < 0))
		rc = err_set(e, ERR_BUG, "bad request for a mailbox");
	if (rc == 1) {
		deliver(s, &m, fd, &o);
		struct msg_postman_written answer = { .status = o.status,
			.dsn = sv_z(dsn_format(o.dsn, code)), .text = sv_z(o.text) };
		rc = msg_postman_written_send(
		        s->conn, &answer, f->request_id, NULL, 0, fiber_deadline(SEND_MS), e);
	}
	sys_close(fd);
	return rc;
}
