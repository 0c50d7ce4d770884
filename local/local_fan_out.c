/*
 * The parts of an expansion: the own mailbox, each command and file, and all addresses together. Every part is
 * tried. When one has to wait the recipient waits; what the others came to is written down (local_parts.c),
 * so that the next try does only what is missing.
 */
#include <stdio.h>

#include "local/local.h"

/* What the parts came to, all together: waiting outweighs failing outweighs done. */
struct tally {
	struct deliver_outcome worst; /* the first of its kind */
	struct buf done;              /* texts of those that were delivered */
};

static void count(struct tally *t, const struct deliver_outcome *o)
{
	static const unsigned weight[] = {
		[DELIVER_NONE] = 0, [DELIVER_SENT] = 1, [DELIVER_BOUNCED] = 2, [DELIVER_DEFERRED] = 3
	};
	if (weight[o->status] > weight[t->worst.status])
		t->worst = *o;
	if (o->status == DELIVER_SENT)
		(void)buf_printf(&t->done, "%s%s", t->done.len ? ", " : "", o->text);
}

static void own_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who, bool maybe_before,
        struct deliver_outcome *o)
{
	if (who) {
		local_mailbox(r, who, maybe_before, o);
		return;
	}
	*o = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 1, 1) };
	(void)snprintf(o->text, sizeof(o->text), "unknown user: \"%.*s\"", SV_ARG(r->user));
}

static void inject(struct local_rcpt *r, const struct local_expansion *x, struct deliver_outcome *o)
{
	char id[LOCAL_ID_MAX];
	struct err e = ERR_INIT;
	*o = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	int rc = local_inject(r, x, id, &o->dsn, &e);
	if (rc == 1) {
		o->status = DELIVER_SENT;
		o->dsn = DSN(2, 0, 0);
		(void)snprintf(o->text, sizeof(o->text), "forwarded as %s", id);
		return;
	}
	if (rc == 0)
		o->status = DELIVER_BOUNCED;
	(void)snprintf(o->text, sizeof(o->text), "forwarding: %s", e.text);
}

void local_fan_out(
        struct local_rcpt *r, const struct clnt_auth_identity *who, const struct local_expansion *x)
{
	struct deliver_request *rq = r->rq;
	size_t parts = (x->self ? 1 : 0) + x->nmembers + (x->n > 0 ? 1 : 0);
	struct tally t = { .worst = { .status = DELIVER_NONE } };
	struct deliver_outcome o;
	if (parts == 0) {
		deliver_done(rq, r->i, DELIVER_BOUNCED, DSN(5, 1, 1), "\"%.*s\" expands to nobody",
		        SV_ARG(r->name));
		return;
	}
	buf_init(&t.done, DELIVER_TEXT_MAX);
	if (x->self) {
		own_mailbox(r, who, parts > 1, &o);
		count(&t, &o);
	}
	for (size_t i = 0; i < x->nmembers; i++) {
		local_command(r, &x->members[i], x->sender, &o);
		count(&t, &o);
	}
	if (x->n > 0) {
		inject(r, x, &o);
		count(&t, &o);
	}
	const char *text = t.worst.status == DELIVER_SENT ? buf_z(&t.done) : t.worst.text;
	bool others = t.worst.status == DELIVER_BOUNCED && t.done.len > 0;
	deliver_done(rq, r->i, t.worst.status, t.worst.dsn, "%s%s%s%s", text, others ? " (others: " : "",
	        others ? buf_z(&t.done) : "", others ? ")" : "");
	buf_free(&t.done);
}
