/* A mailbox is written by this process, or by the postman that auth gives for the address. */
#include <stdio.h>
#include <unistd.h>

#include "lib/clnt/clnt_postman.h"
#include "lib/deliver/deliver_head.h"
#include "lib/deliver/deliver_postman.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/mbox_text.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "virtual/virtual.h"

#define HEAD_MAX  (16 * 1024)
#define ASSIGN_MS (60 * 1000)

static void failed(const struct deliver_request *rq, const struct err *e, struct deliver_outcome *out)
{
	log_warn("%.*s: virtual mailbox: %s", SV_ARG(rq->queue_id), e->text);
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	(void)snprintf(out->text, sizeof(out->text), "mailbox: %s", e->text);
}

static struct ipc_conn *open_postman(struct virtual *v, const struct deliver_request *rq, size_t i, struct err *e)
{
	const struct clnt_auth_whose whose = { .kind = "virtual", .name = rq->rcpts[i].recipient, .fd = -1 };
	return clnt_postman_open(v->postmen, &whose, rq->queue_id, fiber_deadline(ASSIGN_MS), e);
}

static void to_maildir(struct virtual *v, struct deliver_request *rq, size_t i, const char *path,
        struct deliver_outcome *out)
{
	struct err e = ERR_INIT;
	struct sv address = rq->rcpts[i].recipient, elsewhere;
	const char *mail = arena_printf(rq->arena, "maildir:%s", path);
	struct deliver_mailbox m = {
		.store = v->store,
		.account = { .owner = address,
			.home = sv_z(v->params.virtual_mailbox_base),
			.mail = sv_z(mail ? mail : ""),
			.uid = getuid(),
			.create = true },
		.delivered_to = address,
	};
	if (!v->postmen) {
		if (deliver_mailbox(rq, i, &m, out, &elsewhere) == 0)
			log_bug("nobody is there to redirect mail");
		return;
	}
	m.maybe_before = true; /* a postman of an earlier try may have ended after it had delivered */
	struct ipc_conn *c = open_postman(v, rq, i, &e);
	if (!c || deliver_ask_mailbox(rq, i, &m, rq->sender, c, out, &e) < 0)
		failed(rq, &e, out);
	ipc_conn_free(c);
}

static int put_head(const struct deliver_request *rq, size_t i, struct buf *out)
{
	const struct deliver_rcpt *r = &rq->rcpts[i];
	int64_t now = clock_wall_s();
	if (mbox_from_line(out, rq->sender, now, clock_tz_min(now)) < 0)
		return -1;
	return deliver_head(out, rq->sender, sv_empty(r->original) ? r->recipient : r->original, r->recipient);
}

/* True: the admin has to repair something. */
static bool write_file(struct virtual *v, struct deliver_request *rq, size_t i, const struct deliver_file *f,
        struct sv head, struct deliver_outcome *out)
{
	struct err e = ERR_INIT;
	bool config = false;
	if (!v->postmen) {
		const struct mbox_mail mail = { .head = head, .fd = rq->fd, .offset = rq->content_offset,
			.size = rq->content_size, .key = { rq->nonce, rq->rcpts[i].offset } };
		return deliver_file(f, &mail, out);
	}
	struct ipc_conn *c = open_postman(v, rq, i, &e);
	if (!c || deliver_ask_file(rq, i, f, head, c, out, &config, &e) < 0)
		failed(rq, &e, out);
	ipc_conn_free(c);
	return config;
}

static void to_mbox(struct virtual *v, struct deliver_request *rq, size_t i, const char *path,
        struct deliver_outcome *out)
{
	struct buf head;
	struct err e = ERR_INIT;
	const struct deliver_file f = { .path = path,
		.rules = { .uid = getuid(),
			.size_limit = v->params.virtual_mailbox_limit,
			.locks = v->locks,
			.attempts = (unsigned)v->core.deliver_lock_attempts,
			.pause_ms = v->core.deliver_lock_delay * 1000,
			.stale_s = v->core.stale_lock_time },
		.limit_name = SV("virtual_mailbox_limit") };
	buf_init(&head, HEAD_MAX);
	if (put_head(rq, i, &head) < 0) {
		err_set(&e, ERR_BUG, "header lines of the delivery are too long");
		failed(rq, &e, out);
	} else if (write_file(v, rq, i, &f, buf_sv(&head), out)) {
		log_warn("%.*s: virtual mailbox of %.*s: %s", SV_ARG(rq->queue_id), SV_ARG(rq->rcpts[i].recipient),
		        out->text);
	}
	buf_free(&head);
}

void virtual_mailbox(struct virtual *v, struct deliver_request *rq, size_t i, const struct virtual_box *box,
        struct deliver_outcome *out)
{
	int64_t limit = v->params.virtual_mailbox_limit;
	if (limit > 0 && rq->content_size > (uint64_t)limit) {
		*out = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 2, 2) };
		(void)snprintf(out->text, sizeof(out->text), "the message is larger than virtual_mailbox_limit");
	} else if (box->maildir) {
		to_maildir(v, rq, i, box->path, out);
	} else {
		to_mbox(v, rq, i, box->path, out);
	}
}
