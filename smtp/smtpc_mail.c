/*
 * One mail in one session, as often as its recipients need it:
 *
 *     MAIL  RCPT ... RCPT  DATA   then, when it was taken: content, dot; in LMTP a reply for each recipient
 *
 * With PIPELINING the commands go out together and replies come in their order; without, each one waits for the
 * reply to the one before. Both are the same loop, with a window of one. So that neither side waits for the
 * other to read, no more is under way than a socket's buffers hold in both directions (RFC 2920 3.1).
 *
 * A server that says 452 to some recipients, and takes others, has enough of them for one transaction (RFC 5321
 * 4.5.3.1.10): those come next, in another one.
 */
#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"
#include "smtp/smtpc_command.h"

#define WINDOW        100         /* commands whose replies are not there yet */
#define WINDOW_OCTETS (16 * 1024) /* of them */

enum { STEP_MAIL = 0, STEP_RCPT = 1 }; /* RCPT of recipient k of the list is step k + 1, DATA the last */

struct transaction {
	struct smtpc_try *t;
	struct smtpc_session *s;
	size_t *list; /* recipients */
	size_t n;
	bool *taken;  /* of them: the server said 2xx */
	bool *later;  /* of them: not in this transaction */
	size_t ntaken, nlater;
	size_t sent, heard; /* steps */
	size_t octets;      /* under way, at most */
	size_t *cost;       /* of each step */
	bool mail_ok, data_ok, list_is_made;
	struct buf line;
};

static bool is_data(const struct transaction *x, size_t step)
{
	return step == x->n + 1;
}

static int send_step(struct transaction *x, size_t step)
{
	buf_reset(&x->line);
	int rc = 0;
	if (step == STEP_MAIL) {
		struct deliver_request shown = *x->t->rq;
		shown.sender = x->t->sender;
		rc = smtpc_put_mail(&x->line, &shown, x->s);
	} else if (is_data(x, step)) {
		rc = buf_puts(&x->line, "DATA");
	} else {
		size_t i = x->list[step - STEP_RCPT];
		struct deliver_rcpt shown = x->t->rq->rcpts[i];
		if (shown.original.len == 0 && !sv_eq(shown.recipient, x->t->recipients[i]))
			shown.original = shown.recipient;
		shown.recipient = x->t->recipients[i];
		rc = smtpc_put_rcpt(&x->line, &shown, x->s);
	}
	x->cost[step] = x->line.len + 2;
	x->octets += x->cost[step];
	/* what is over every limit was refused before: see check_addresses() */
	return rc < 0 ? STREAM_ERR : smtpc_command(x->s, "%.*s", SV_ARG(buf_sv(&x->line)));
}

/* May another command go out before the next reply is here? */
static bool room(const struct transaction *x)
{
	if (x->sent == x->heard)
		return true;
	return (x->s->features & SMTPC_PIPELINING) && x->sent - x->heard < WINDOW && x->octets < WINDOW_OCTETS;
}

/* Nothing more is worth sending: the sender was refused, or every recipient. */
static bool pointless(const struct transaction *x)
{
	return x->heard > STEP_MAIL && (!x->mail_ok || (x->heard > x->n && x->ntaken == 0));
}

static void hear_rcpt(struct transaction *x, size_t k)
{
	struct smtpc_session *s = x->s;
	struct smtpc_why why;
	if (s->got.code / 100 == 2) {
		x->taken[k] = true;
		x->ntaken++;
		return;
	}
	/* too many for this transaction, which goes on with those that were taken */
	if (s->got.code == 452 && x->ntaken > 0) {
		x->later[k] = true;
		x->nlater++;
		smtpc_said(s, "RCPT TO command", &x->t->why);
		return;
	}
	smtpc_said(s, "RCPT TO command", &why);
	smtpc_rcpt_failed(x->t, x->list[k], &why);
}

/* For those of the list, or of them only those that were taken: others have their verdict. */
static void fail_listed(struct transaction *x, bool taken_only, const struct smtpc_why *why)
{
	for (size_t k = 0; k < x->n; k++)
		if (!taken_only || x->taken[k])
			smtpc_rcpt_failed(x->t, x->list[k], why);
}

static void hear(struct transaction *x, size_t step)
{
	struct smtpc_session *s = x->s;
	struct smtpc_why why;
	int cls = s->got.code / 100;
	if (step == STEP_MAIL) {
		x->mail_ok = cls == 2;
		if (x->mail_ok)
			return;
		smtpc_said(s, "MAIL FROM command", &why);
		fail_listed(x, false, &why);
	} else if (is_data(x, step)) {
		x->data_ok = cls == 3;
		if (x->data_ok || x->ntaken == 0)
			return;
		smtpc_said(s, "DATA command", &why);
		fail_listed(x, true, &why);
	} else if (x->mail_ok) {
		hear_rcpt(x, step - STEP_RCPT);
	}
}

/* What is being done, and for how long it may take. */
static long step_seconds(const struct transaction *x, size_t step, const char **doing)
{
	const struct smtpc_times *times = &x->s->set->times;
	if (step == STEP_MAIL) {
		*doing = "sending MAIL FROM";
		return times->mail;
	}
	*doing = is_data(x, step) ? "sending DATA command" : "sending RCPT TO";
	return is_data(x, step) ? times->data_init : times->rcpt;
}

/* MAIL, RCPT, DATA and their replies. 1, or -1: the session is broken (*WHY). */
static int envelope(struct transaction *x, struct smtpc_why *why)
{
	const char *doing;
	for (;;) {
		while (x->sent < x->n + 2 && room(x) && !pointless(x)) {
			long seconds = step_seconds(x, x->sent, &doing);
			stream_write_timeout(x->s->stream, (int64_t)seconds * 1000);
			int rc = send_step(x, x->sent++);
			if (rc != 1)
				return smtpc_lost(x->s, rc, doing, why);
		}
		if (x->heard == x->sent)
			return 1;
		size_t step = x->heard;
		long seconds = step_seconds(x, step, &doing);
		if (fiber_deadline(0) > x->t->dot_by)
			return smtpc_lost(x->s, STREAM_TIMEOUT, doing, why);
		if (smtpc_reply(x->s, seconds, doing, why) < 0 ||
			(x->heard + 1 == x->sent && smtpc_in_step(x->s, doing, why) < 0))
			return -1;
		if (step == STEP_MAIL && x->s->got.code == 421 && x->s->mails > 0)
			return smtpc_lost(x->s, STREAM_EOF, doing, why); /* it has had enough of this session */
		x->octets -= x->cost[step];
		x->heard++;
		hear(x, step);
	}
}

/* The reply to the end of data for recipient I, which was taken. */
static void hear_end(struct transaction *x, size_t i)
{
	struct smtpc_why why;
	if (x->s->got.code / 100 == 2) {
		smtpc_rcpt_sent(x->t, i);
		return;
	}
	smtpc_said(x->s, "end of DATA command", &why);
	smtpc_rcpt_failed(x->t, i, &why);
}

/* For the answer to the dot: never longer than qmgr waits for ours. */
static long end_seconds(const struct transaction *x)
{
	long most = x->s->set->times.data_done;
	int64_t left = (x->t->answer_by - fiber_deadline(0)) / 1000;
	return left >= most ? most : left > 1 ? (long)left : 1;
}

/* The dot was sent and the answer did not come: the server may have the mail. It is asked again later, and no
 * other server now, which would be sure to make two of one. */
static int lost_end(struct transaction *x, struct smtpc_why *why)
{
	bool final = x->t->final;
	x->t->final = true;
	fail_listed(x, true, why);
	x->t->final = final;
	return -1;
}

static int end_of_data(struct transaction *x, struct smtpc_why *why)
{
	static const char doing[] = "sending end of data -- message may be sent more than once";
	const struct smtpc_settings *set = x->s->set;
	for (size_t k = 0; k < x->n; k++) {
		if (!x->taken[k])
			continue;
		if (smtpc_reply(x->s, end_seconds(x), doing, why) < 0)
			return lost_end(x, why);
		if (set->lmtp) {
			hear_end(x, x->list[k]);
			x->taken[k] = false;
			continue;
		}
		for (size_t j = k; j < x->n; j++)
			if (x->taken[j])
				hear_end(x, x->list[j]);
		break;
	}
	return 1;
}

/* The server wants content and no recipient is left: an empty mail ends what pipelining has begun. */
static int empty_data(struct transaction *x, struct smtpc_why *why)
{
	if (x->s->set->lmtp) { /* a reply for each recipient, of which there is none (RFC 2033 4.2) */
		x->s->broken = true;
		return 1;
	}
	(void)stream_puts(x->s->stream, ".\r\n");
	if (smtpc_reply(x->s, x->s->set->times.data_done, "sending end of data", why) < 0)
		return -1;
	return 1;
}

static int content(struct transaction *x, struct smtpc_why *why)
{
	if (smtpc_content(x->t, why) == 1)
		return end_of_data(x, why);
	/* not a whole mail for the server: it must not be sent a dot any more */
	x->s->broken = true;
	fail_listed(x, true, why);
	if (why->dsn.cls == 5) /* of this content; those that were not taken have seen a connection end */
		smtpc_lost(x->s, STREAM_EOF, "sending message body", why);
	return -1;
}

/* After a transaction without an end of data the server is told to forget it, before the next one. 1 or -1. */
static int clear(struct smtpc_session *s, struct smtpc_why *why)
{
	static const char doing[] = "sending final RSET";
	if (!s->dirty)
		return 1;
	s->dirty = false;
	smtpc_command(s, "RSET");
	if (smtpc_reply(s, s->set->times.rset, doing, why) < 0)
		return -1;
	return s->got.code / 100 == 2 ? 1 : smtpc_lost(s, STREAM_EOF, doing, why);
}

/* One transaction for the recipients in x->list. 1 it came to its end, -1 the session is broken (*WHY). */
static int transact(struct transaction *x, struct smtpc_why *why)
{
	if (clear(x->s, why) < 0 || envelope(x, why) < 0)
		return -1;
	x->s->dirty = !x->data_ok;
	x->s->mails++;
	if (x->data_ok)
		return x->ntaken > 0 ? content(x, why) : empty_data(x, why);
	return 1;
}

/* What the server cannot take is known before anything is sent. True: nothing more to do. */
static bool unfit(struct smtpc_try *t)
{
	const struct deliver_request *rq = t->rq;
	const struct smtpc_session *s = t->s;
	struct smtpc_why why;
	if (s->size_limit > 0 && rq->crlf_size > s->size_limit) {
		smtpc_because(&why, DSN(5, 3, 4), "message size %llu exceeds size limit %llu of server %s",
			(unsigned long long)rq->crlf_size, (unsigned long long)s->size_limit, s->name);
		smtpc_all_failed(t, &why);
		return true;
	}
	if (!(s->features & SMTPC_SMTPUTF8) && smtpc_needs_utf8(rq)) {
		smtpc_because(&why, DSN(5, 6, 7), "SMTPUTF8 is required, but was not offered by host %s", s->name);
		smtpc_all_failed(t, &why);
		return true;
	}
	return false;
}

/* The first round is for all that wait, the next ones for those that did not fit. */
static void list_next(struct transaction *x)
{
	const struct deliver_request *rq = x->t->rq;
	size_t n = 0;
	if (x->list_is_made)
		for (size_t k = 0; k < x->n; k++) {
			if (x->later[k])
				x->list[n++] = x->list[k];
		}
	else
		for (size_t i = 0; i < rq->nrcpts; i++)
			if (rq->rcpts[i].status == DELIVER_NONE)
				x->list[n++] = i;
	x->list_is_made = true;
	x->n = n;
	memset(x->taken, 0, n * sizeof(*x->taken));
	memset(x->later, 0, n * sizeof(*x->later));
	x->ntaken = x->nlater = x->sent = x->heard = x->octets = 0;
	x->mail_ok = x->data_ok = false;
}

/* All transactions that it takes: each one takes somebody, or is the last. As transact(). */
static int transactions(struct transaction *x, struct smtpc_why *why)
{
	do {
		list_next(x);
		if (transact(x, why) < 0)
			return -1;
	} while (x->nlater > 0 && x->data_ok);
	return 1;
}

bool smtpc_mail(struct smtpc_try *t)
{
	size_t n = t->rq->nrcpts;
	struct smtpc_why why = { .set = false };
	if (unfit(t))
		return true;
	struct transaction x = { .t = t, .s = t->s,
		.list = mem_array(n, sizeof(size_t)),
		.taken = mem_array(n, sizeof(bool)),
		.later = mem_array(n, sizeof(bool)),
		.cost = mem_array(n + 2, sizeof(size_t)) };
	buf_init(&x.line, SMTPC_COMMAND_MAX);
	bool used_before = t->s->mails > 0;
	int rc = transactions(&x, &why);
	/* a server may close a kept connection at any time: that says nothing about it */
	bool again = rc < 0 && used_before && x.heard <= STEP_MAIL && smtpc_left(t->rq) > 0;
	if (rc < 0 && !again)
		smtpc_all_failed(t, &why);
	else if (!again && x.nlater > 0)
		smtpc_all_failed(t, &t->why);
	free(x.list);
	free(x.taken);
	free(x.later);
	free(x.cost);
	buf_free(&x.line);
	return !again;
}
