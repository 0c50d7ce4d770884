/*
 * What became of recipients: first the logs of bounce(8), then the mark in memory, which reaches
 * the queue file before the mail leaves active/ other than by removal.
 *
 * A recipient counts as bounced only when the bounce log durably knows of it; when bounce cannot
 * say so the recipient is deferred, and its next failure is reported then.
 */
#include "lib/clnt/clnt_bounce.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "qmgr/qmgr.h"

void message_mark(struct message *m, uint64_t offset, enum queue_cell cell)
{
	if (m->nmarks == m->marks_cap) {
		m->marks_cap = m->marks_cap ? m->marks_cap * 2 : 8;
		m->marks = mem_realloc(m->marks, m->marks_cap * sizeof(*m->marks));
	}
	m->marks[m->nmarks++] = (struct mark){ offset, cell };
}

bool qmgr_wants_report(uint32_t notify, enum queue_result result)
{
	static const uint32_t bits[] = { [QUEUE_DELIVERED] = QUEUE_NOTIFY_SUCCESS,
		[QUEUE_DEFERRED] = QUEUE_NOTIFY_DELAY,
		[QUEUE_BOUNCED] = QUEUE_NOTIFY_FAILURE };
	/* RFC 3461 4.1: without NOTIFY failures are reported, delays may be */
	return notify == 0 ? result != QUEUE_DELIVERED : (notify & bits[result]) != 0;
}

static bool has_expired(const struct message *m)
{
	const struct params_qmgr *p = &m->qm->p;
	long limit =
	        m->mail.facts.sender.len > 0 ? p->maximal_queue_lifetime : p->bounce_queue_lifetime;
	return clock_wall_s() - m->mail.h.arrival_us / 1000000 >= limit;
}

const char *qmgr_action_name(enum queue_action action, bool all)
{
	switch (action) {
	case QUEUE_ACTION_RELAYED: return "relayed";
	case QUEUE_ACTION_EXPANDED: return "expanded";
	case QUEUE_ACTION_PASSED_ON: return all ? "relayed" : NULL;
	case QUEUE_ACTION_DELIVERED: break;
	}
	return "delivered";
}

/* Is there something to tell of this delivery: asked for, or the end of a delay that was told? */
static bool success_is_told(const struct message *m, const struct outcome *o)
{
	if (o->result != QUEUE_DELIVERED || !qmgr_action_name(o->action, false))
		return false;
	return qmgr_wants_report(o->rcpt->notify, QUEUE_DELIVERED) ||
	       (m->warned && m->qm->p.confirm_delay_cleared && m->mail.facts.sender.len > 0 &&
	               qmgr_wants_report(o->rcpt->notify, QUEUE_DEFERRED));
}

/* Send the outcomes of kind RESULT to the log, those that ask for it or ALL, as ACTION (NULL: what the
 * delivery was); 1 or -1. */
static int append(struct message *m, const struct outcome *o, size_t n, const char *log,
        const char *action, enum queue_result result, bool all, struct err *e)
{
	struct clnt_bounce_item *items = mem_array(n, sizeof(*items));
	size_t count = 0;
	int rc = 1;
	for (size_t i = 0; i < n; i++) {
		const struct rcpt *r = o[i].rcpt;
		const char *name = action ? action : qmgr_action_name(o[i].action, all);
		bool told = result == QUEUE_DELIVERED ? success_is_told(m, &o[i])
		                                      : qmgr_wants_report(r->notify, result);
		if (o[i].result != result || !name || !(all || told))
			continue;
		items[count++] = (struct clnt_bounce_item){ .offset = r->offset,
			.recipient = r->address,
			.original = r->original,
			.orcpt = r->orcpt,
			.notify = r->notify,
			.action = sv_z(name),
			.dsn = o[i].dsn,
			.text = o[i].text,
			.remote_mta = o[i].remote_mta,
			.diagnostic = o[i].diagnostic };
	}
	if (count > 0)
		rc = clnt_bounce_append(m->qm->bounce, log, sv_z(m->id), m->mail.h.nonce, items,
		        count, clock_wall_s(), fiber_deadline(QMGR_BOUNCE_MS), e);
	free(items);
	return rc;
}

static size_t count_of(const struct outcome *o, size_t n, enum queue_result result)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += o[i].result == result;
	return count;
}

/* A failure waits; agents do so themselves, this is for one that does not know the flag. */
static void soften(struct outcome *o)
{
	char *dsn = arena_printf(&o->rcpt->batch->arena, "4%.*s", SV_ARG(sv_from(o->dsn, 1)));
	o->result = QUEUE_DEFERRED;
	o->dsn = dsn ? sv_z(dsn) : SV("4.0.0");
}

/* soft_bounce makes failures temporary, age makes waiting a failure. */
static void adjust(struct message *m, struct outcome *o, size_t n)
{
	if (m->mail.h.mail_flags & QUEUE_MAIL_VERIFY)
		return;
	for (size_t i = 0; i < n; i++)
		if (o[i].result == QUEUE_BOUNCED && m->qm->core.soft_bounce)
			soften(&o[i]);
	if (count_of(o, n, QUEUE_DEFERRED) == 0 || !has_expired(m))
		return;
	m->expired = true;
	for (size_t i = 0; i < n; i++)
		if (o[i].result == QUEUE_DEFERRED)
			o[i].result = QUEUE_BOUNCED;
}

static void write_failures(struct message *m, struct outcome *o, size_t n)
{
	struct err e = ERR_INIT;
	if (count_of(o, n, QUEUE_BOUNCED) == 0)
		return;
	m->bounced = true;
	if (append(m, o, n, "bounce", "failed", QUEUE_BOUNCED, false, &e) == 1)
		return;
	log_warn("%s: cannot write down failed recipients, deferring them: %s", m->id, e.text);
	m->expired = false;
	for (size_t i = 0; i < n; i++)
		if (o[i].result == QUEUE_BOUNCED)
			o[i].result = QUEUE_DEFERRED;
}

/* Trace entries: of successes that were asked for, or of everything (sendmail -v, -bv). */
static void write_trace(struct message *m, const struct outcome *o, size_t n, bool all)
{
	struct err e = ERR_INIT;
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += all || success_is_told(m, &o[i]);
	if (count == 0)
		return;
	bool verify = (m->mail.h.mail_flags & QUEUE_MAIL_VERIFY) != 0;
	int rc = append(m, o, n, "trace", verify ? "deliverable" : NULL, QUEUE_DELIVERED, all, &e);
	if (rc == 1 && all)
		rc = append(m, o, n, "trace", verify ? "undeliverable" : "failed", QUEUE_BOUNCED,
		        true, &e);
	if (rc == 1 && all)
		rc = append(m, o, n, "trace", "delayed", QUEUE_DEFERRED, true, &e);
	if (rc == 1)
		m->traced = true;
	else
		log_warn(
		        "%s: what the sender asked to be told is not in trace/: %s", m->id, e.text);
}

static void write_logs(struct message *m, struct outcome *o, size_t n)
{
	struct err e = ERR_INIT;
	if (m->mail.h.mail_flags & QUEUE_MAIL_VERIFY) {
		/* a question: the answer is all that comes of it */
		write_trace(m, o, n, true);
		for (size_t i = 0; i < n; i++)
			o[i].result = QUEUE_DELIVERED;
		return;
	}
	write_failures(m, o, n);
	if (count_of(o, n, QUEUE_DEFERRED) > 0) {
		m->deferred = true;
		/* all of them, for mailq; who wants no warning gets none from bounce */
		if (append(m, o, n, "defer", "delayed", QUEUE_DEFERRED, true, &e) < 0)
			log_warn("%s: reasons for waiting are not in defer/: %s", m->id, e.text);
	}
	write_trace(m, o, n, m->report);
}

static void rcpt_free(struct message *m, struct rcpt *r)
{
	struct batch *b = r->batch;
	m->live--;
	m->qm->nrcpts--;
	if (--b->live == 0) {
		arena_free(&b->arena);
		free(b);
	}
}

void message_outcomes(struct message *m, struct outcome *o, size_t n)
{
	struct qmgr *qm = m->qm;
	adjust(m, o, n);
	write_logs(m, o, n);
	for (size_t i = 0; i < n; i++) {
		if (o[i].result == QUEUE_DELIVERED)
			message_mark(m, o[i].rcpt->offset, QUEUE_CELL_DELIVERED);
		else if (o[i].result == QUEUE_BOUNCED)
			message_mark(m, o[i].rcpt->offset, QUEUE_CELL_BOUNCED);
	}
	for (size_t i = 0; i < n; i++)
		rcpt_free(m, o[i].rcpt);
	fiber_event_set(qm->room);
	message_check(m);
}

void entry_defer(struct entry *en, const char *reason, bool log)
{
	struct message *m = en->msg;
	size_t n = en->en.nrcpts, i = 0;
	struct outcome *o = mem_array(n, sizeof(*o));
	struct sv text = sv_z(reason);
	struct sv dsn = sv_take_word(&text);

	for (struct rcpt *r = en->first; r; r = r->next) {
		o[i++] = (struct outcome){
			.rcpt = r, .result = QUEUE_DEFERRED, .dsn = dsn, .text = text
		};
		if (log)
			qmgr_log_rcpt(m, r, DELIVER_DEFERRED, dsn, text);
	}
	free(en);
	message_outcomes(m, o, n);
	free(o);
}
