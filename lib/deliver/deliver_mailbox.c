#include "lib/deliver/deliver_mailbox.h"

#include <errno.h>
#include <stdio.h>

#include "lib/deliver/deliver_head.h"
#include "lib/sys/log.h"

#define HEAD_MAX 8192 /* also of the name in a delivery key */

static void outcome(struct deliver_outcome *out, enum deliver_status status, struct dsn_code dsn,
        const char *text, const char *detail)
{
	*out = (struct deliver_outcome){ .status = status, .dsn = dsn };
	(void)snprintf(out->text, sizeof(out->text), "%s%s%s", text, *detail ? ": " : "", detail);
}

/* The code of a store error. */
static struct dsn_code code_of(const struct err *e)
{
	switch (e->sys_errno) {
	case EDQUOT: return DSN(4, 2, 2);
	case ENOSPC: return DSN(4, 3, 1);
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOENT:
	case ENOTDIR:
	case ETIMEDOUT: return DSN(4, 2, 0);
	default: return e->cls == ERR_CONFIG ? DSN(4, 2, 0) : DSN(4, 3, 0);
	}
}

/* A store error: all of them defer but the admin's own limit. */
static void failed(const struct deliver_request *rq, const struct err *e, struct deliver_outcome *out)
{
	const char *what = e->sys_errno == EDQUOT ? "mailbox is over quota" : e->sys_errno == ENOSPC
		? "mail system is full" : "cannot update mailbox";
	if (e->cls == ERR_PERM && e->sys_errno == EFBIG) {
		outcome(out, DELIVER_BOUNCED, DSN(5, 2, 2), "mailbox is full",
			"it would be larger than mailbox_size_limit");
		return;
	}
	if (e->sys_errno != EDQUOT)
		log_warn("%.*s: %s: %s", SV_ARG(rq->queue_id), what, e->text);
	outcome(out, DELIVER_DEFERRED, code_of(e), what, e->text);
}

static void sent(const char *kind, enum store_delivered how, struct deliver_outcome *out)
{
	char text[60];
	(void)snprintf(text, sizeof(text), "delivered to %s%s", kind, how == STORE_DELIVERED_BEFORE ? " before" : "");
	outcome(out, DELIVER_SENT, DSN(2, 0, 0), text, "");
}

/* Ask the deciders. 1 deliver to *ID, 0 redirect, -1 *OUT is set. */
static int decide(struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
        struct store_mailbox_id *id, struct deliver_outcome *out, struct sv *redirect)
{
	if (m->size_limit > 0 && rq->content_size > (uint64_t)m->size_limit) {
		outcome(out, DELIVER_BOUNCED, DSN(5, 2, 3), "message is larger than mailbox_size_limit", "");
		return -1;
	}
	for (size_t k = 0; k < m->ndeciders; k++) {
		struct deliver_decision d = { .verdict = DELIVER_KEEP, .dsn = DSN(5, 7, 1) };
		struct err e = ERR_INIT;
		char text[ERR_TEXT_MAX];
		if (m->deciders[k].decide(m->deciders[k].ctx, rq, i, &d, &e) < 0) {
			log_warn("%.*s: %s: %s", SV_ARG(rq->queue_id), m->deciders[k].name, e.text);
			outcome(out, DELIVER_DEFERRED, DSN(4, 3, 0), m->deciders[k].name, e.text);
			return -1;
		}
		switch (d.verdict) {
		case DELIVER_KEEP: break;
		case DELIVER_FOLDER: *id = store_mailbox(d.folder); return 1;
		case DELIVER_REDIRECT: *redirect = d.address; return 0;
		case DELIVER_REJECT:
			(void)snprintf(text, sizeof(text), "%.*s", SV_ARG(d.text));
			outcome(out, DELIVER_BOUNCED, d.dsn, text, "");
			return -1;
		}
	}
	return 1;
}

/* The name that goes into the delivery key: whose mailbox, which one. */
static struct store_key key_of(const struct deliver_request *rq, size_t i,
        const struct store_account *a, struct store_mailbox_id id)
{
	struct buf final;
	buf_init(&final, HEAD_MAX);
	(void)buf_printf(&final, "%s/%.*s", store_account_path(a), SV_ARG(id.name));
	struct store_key k = store_key_make(rq->nonce, rq->rcpts[i].offset, buf_sv(&final));
	buf_free(&final);
	return k;
}

static int write_mail(struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
        struct store_account *a, struct store_mailbox_id id, enum store_delivered *how,
        struct err *e)
{
	const struct deliver_rcpt *r = &rq->rcpts[i];
	struct buf head;
	buf_init(&head, HEAD_MAX);
	struct sv original = sv_empty(r->original) ? r->recipient : r->original;
	if (deliver_head(&head, rq->sender, original, m->delivered_to) < 0) {
		buf_free(&head);
		return err_set(e, ERR_BUG, "header lines of the delivery are too long");
	}
	struct store_delivery d = {
		.key = key_of(rq, i, a, id),
		.maybe_before = m->maybe_before ||
		                (rq->flags & (DELIVER_MAYBE_BEFORE | DELIVER_REINJECTED)) != 0,
		.arrival_s = rq->arrival_us / 1000000,
		.sender = rq->sender,
		.mbox = m->mbox,
		.head = buf_sv(&head),
		.fd = rq->fd,
		.offset = rq->content_offset,
		.size = rq->content_size,
	};
	int rc = store_deliver(a, id, &d, how, e);
	if (rc == 0 && !store_name_is_inbox(id.name)) {
		log_warn("%.*s: mailbox \"%.*s\" does not exist: delivered to INBOX",
		        SV_ARG(rq->queue_id), SV_ARG(id.name));
		d.key = key_of(rq, i, a, store_inbox());
		rc = store_deliver(a, store_inbox(), &d, how, e);
	}
	if (rc == 0)
		rc = err_set(e, ERR_TEMP, "%s does not exist", store_account_path(a));
	buf_free(&head);
	return rc;
}

int deliver_mailbox(struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
        struct deliver_outcome *out, struct sv *redirect)
{
	struct store_mailbox_id id = store_inbox();
	int rc = decide(rq, i, m, &id, out, redirect);
	if (rc <= 0)
		return rc == 0 ? 0 : 1;
	struct err e = ERR_INIT;
	struct store_account *a = NULL;
	enum store_delivered how = STORE_DELIVERED_NEW;
	rc = store_account_open(m->store, &m->account, &a, &e);
	if (rc == 0)
		rc = err_set(&e, ERR_TEMP, "nothing is at \"%.*s\"", SV_ARG(m->account.mail));
	if (rc == 1)
		rc = write_mail(rq, i, m, a, id, &how, &e);
	const char *kind = a ? store_account_kind(a) : "";
	store_account_close(a);
	if (rc < 0)
		failed(rq, &e, out);
	else
		sent(kind, how, out);
	return 1;
}
