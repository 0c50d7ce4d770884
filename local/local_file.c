/* "/file" and "/directory/": a postman writes them, with the rights of whoever named them. */
#include <stdio.h>

#include "lib/clnt/clnt_postman.h"
#include "lib/deliver/deliver_head.h"
#include "lib/deliver/deliver_postman.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/mbox_text.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "local/local.h"

#define HEAD_MAX  (16 * 1024)
#define ASSIGN_MS (60 * 1000)

struct sv local_original(const struct local_rcpt *r)
{
	const struct deliver_rcpt *rcpt = &r->rq->rcpts[r->i];
	return sv_empty(rcpt->original) ? rcpt->recipient : rcpt->original;
}

int local_head(const struct local_rcpt *r, struct sv sender, bool delivered_to, struct buf *out)
{
	int64_t now = clock_wall_s();
	if (mbox_from_line(out, sender, now, clock_tz_min(now)) < 0)
		return -1;
	return deliver_head(out, sender, local_original(r), delivered_to ? local_delivered_to(r) : SV_NONE);
}

struct mbox_rules local_mbox_rules(const struct local *l)
{
	return (struct mbox_rules){ .locks = l->locks,
		.attempts = (unsigned)l->core.deliver_lock_attempts,
		.pause_ms = l->core.deliver_lock_delay * 1000,
		.stale_s = l->core.stale_lock_time,
		.size_limit = l->core.mailbox_size_limit };
}

static int to_file(const struct local_rcpt *r, const struct local_member *m, struct sv sender, struct ipc_conn *c,
        struct deliver_outcome *out, bool *config, struct err *e)
{
	const struct local *l = r->local;
	const struct deliver_file file = { .path = arena_strdup(r->rq->arena, m->text),
		.rules = local_mbox_rules(l),
		.limit_name = SV("mailbox_size_limit") };
	struct buf head;
	int rc = -1;
	buf_init(&head, HEAD_MAX);
	if (!file.path)
		err_set(e, ERR_TEMP, "out of memory");
	else if (local_head(r, sender, l->delivered_to_file, &head) < 0)
		err_set(e, ERR_BUG, "header lines of the delivery are too long");
	else
		rc = deliver_ask_file(r->rq, r->i, &file, buf_sv(&head), c, out, config, e);
	buf_free(&head);
	return rc;
}

static int ask_mailbox(const struct local_rcpt *r, struct sv sender, const struct clnt_auth_identity *who,
        struct sv mail, bool maybe_before, struct ipc_conn *c, struct deliver_outcome *out, struct err *e)
{
	const struct mbox_rules rules = local_mbox_rules(r->local);
	const struct deliver_mailbox m = {
		.account = { .owner = who ? who->name : SV_NONE, .home = who ? who->home : SV_NONE, .mail = mail },
		.delivered_to = r->local->delivered_to_file ? local_delivered_to(r) : SV_NONE,
		.size_limit = r->local->core.mailbox_size_limit,
		.mbox = &rules,
		.maybe_before = maybe_before,
	};
	return deliver_ask_mailbox(r->rq, r->i, &m, sender, c, out, e);
}

/* A postman that ended before it answered may have delivered: from then on its key is looked for, also in a
 * later try, of which a mark in partial/ tells. */
int local_ask_mailbox(const struct local_rcpt *r, struct sv sender, const struct local_rights *rights,
        struct sv mail, bool in_parts, struct deliver_outcome *out, struct err *e)
{
	bool marked = local_parts_marked(r), before = in_parts || marked;
	struct ipc_conn *c = clnt_postman_open(
	        r->local->postmen, &rights->whose, r->rq->queue_id, fiber_deadline(ASSIGN_MS), e);
	if (!c)
		return -1;
	int rc = ask_mailbox(r, sender, rights->user, mail, before, c, out, e);
	ipc_conn_free(c);
	if (rc < 0 && !before)
		local_parts_mark(r);
	else if (rc == 0 && marked && !in_parts && out->status != DELIVER_DEFERRED)
		local_parts_unmark(r);
	return rc;
}

static int write_it(const struct local_rcpt *r, const struct local_member *m, struct sv sender, bool in_parts,
        struct deliver_outcome *out, struct err *e)
{
	bool config = false;
	int rc = -1;
	if (sv_ends(m->text, SV("/"))) {
		char *mail = arena_printf(r->rq->arena, "maildir:%.*s", SV_ARG(m->text));
		return mail ? local_ask_mailbox(r, sender, &m->rights, sv_z(mail), in_parts, out, e)
		            : err_set(e, ERR_TEMP, "out of memory");
	}
	struct ipc_conn *c = clnt_postman_open(
	        r->local->postmen, &m->rights.whose, r->rq->queue_id, fiber_deadline(ASSIGN_MS), e);
	if (c)
		rc = to_file(r, m, sender, c, out, &config, e);
	if (config)
		log_warn("%.*s: %s: %s", SV_ARG(r->rq->queue_id), m->where, out->text);
	ipc_conn_free(c);
	return rc;
}

void local_file(const struct local_rcpt *r, const struct local_member *m, struct sv sender, bool in_parts,
        struct deliver_outcome *out)
{
	struct err e = ERR_INIT;
	if (!(r->local->files_from & m->source)) {
		*out = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 7, 1) };
		(void)snprintf(out->text, sizeof(out->text), "mail to file is restricted");
		return;
	}
	if (write_it(r, m, sender, in_parts, out, &e) == 0)
		return;
	log_warn("%.*s: %s: %s", SV_ARG(r->rq->queue_id), m->where, e.text);
	*out = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	(void)snprintf(out->text, sizeof(out->text), "cannot write to a file: %s", e.text);
}
