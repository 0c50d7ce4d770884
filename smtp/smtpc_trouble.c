/* What becomes of recipients: the one place that decides between "next server", "later" and "never". */
#include "lib/sys/log.h"
#include "smtp/smtpc.h"

void smtpc_because(struct smtpc_why *w, struct dsn_code dsn, const char *fmt, ...)
{
	va_list ap;
	*w = (struct smtpc_why){ .set = true, .dsn = dsn };
	va_start(ap, fmt);
	(void)vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

size_t smtpc_left(const struct deliver_request *rq)
{
	size_t n = 0;
	for (size_t i = 0; i < rq->nrcpts; i++)
		n += rq->rcpts[i].status == DELIVER_NONE;
	return n;
}

/* Temporary trouble, and another server to ask: soft_bounce makes all trouble so. */
static bool next_may_take_it(const struct smtpc_try *t, const struct smtpc_why *why)
{
	return !t->final && (why->dsn.cls == 4 || (t->rq->flags & DELIVER_SOFT_BOUNCE));
}

static void settle(struct smtpc_try *t, size_t i, const struct smtpc_why *why)
{
	struct deliver_rcpt *r = &t->rq->rcpts[i];
	if (r->status != DELIVER_NONE)
		return;
	if (why->mta[0]) {
		r->remote_mta = arena_sv(t->rq->arena, sv_z(why->mta));
		r->diagnostic = arena_sv(t->rq->arena, sv_z(why->diagnostic));
		if (!r->remote_mta.p || !r->diagnostic.p)
			r->remote_mta = r->diagnostic = SV_NONE;
	}
	deliver_done(t->rq, i, why->dsn.cls == 5 ? DELIVER_BOUNCED : DELIVER_DEFERRED, why->dsn, "%s", why->text);
}

static void keep(struct smtpc_try *t, const struct smtpc_why *why)
{
	/* once for all recipients of which it is true */
	if (!t->why.set || strcmp(t->why.text, why->text) != 0)
		log_info("%.*s: %s", SV_ARG(t->rq->queue_id), why->text);
	t->why = *why;
}

void smtpc_rcpt_failed(struct smtpc_try *t, size_t i, const struct smtpc_why *why)
{
	if (t->rq->rcpts[i].status != DELIVER_NONE)
		return;
	if (next_may_take_it(t, why))
		keep(t, why);
	else
		settle(t, i, why);
}

/* qmgr need not try this destination for other mails at once. */
static void suspend(struct smtpc_try *t, const struct smtpc_why *why)
{
	char code[DSN_TEXT_MAX];
	char *text = arena_printf(t->rq->arena, "%s %s", dsn_format(why->dsn, code), why->text);
	if (text)
		t->rq->suspend = sv_z(text);
}

void smtpc_all_failed(struct smtpc_try *t, const struct smtpc_why *why)
{
	if (t->final && why->dead && why->dsn.cls == 4)
		suspend(t, why);
	if (smtpc_left(t->rq) == 0)
		return;
	if (next_may_take_it(t, why)) {
		keep(t, why);
		return;
	}
	for (size_t i = 0; i < t->rq->nrcpts; i++)
		settle(t, i, why);
}

/* Who tells the sender that asked for a report of success: the next host if it knows how, else we, once. */
static enum queue_action action_of(const struct smtpc_session *s)
{
	if (s->features & SMTPC_DSN)
		return QUEUE_ACTION_PASSED_ON;
	return s->set->lmtp && s->set->assume_final ? QUEUE_ACTION_DELIVERED : QUEUE_ACTION_RELAYED;
}

void smtpc_rcpt_sent(struct smtpc_try *t, size_t i)
{
	struct smtpc_session *s = t->s;
	struct deliver_rcpt *r = &t->rq->rcpts[i];
	struct smtpc_why why;
	smtpc_said(s, "end of DATA command", &why);
	r->action = action_of(s);
	r->remote_mta = arena_sv(t->rq->arena, sv_z(s->host));
	r->diagnostic = arena_sv(t->rq->arena, sv_z(why.diagnostic));
	if (!r->remote_mta.p || !r->diagnostic.p)
		r->remote_mta = r->diagnostic = SV_NONE;
	deliver_done(t->rq, i, DELIVER_SENT, s->got.has_dsn ? s->got.dsn : DSN(2, 0, 0), "%s", why.diagnostic);
}
