/*
 * The parts of an expansion: the own mailbox, each command and file, and all addresses together. Every part is
 * tried. When one has to wait the recipient waits; what the others came to is written down (local_parts.c),
 * so that the next try does only what is missing.
 */
#include <stdio.h>

#include "lib/fiber/fiber.h"
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

struct fan {
	struct local_rcpt *r;
	const struct clnt_auth_identity *who;
	const struct local_expansion *x;
	struct local_parts *parts; /* NULL: there is one part only */
	struct tally t;
	int64_t until; /* qmgr waits no longer for this recipient */
};

static void own_mailbox(struct fan *f, struct deliver_outcome *o)
{
	if (f->who) {
		local_mailbox(f->r, f->who, f->x->sender, f->until, f->parts != NULL, o);
		return;
	}
	*o = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 1, 1) };
	(void)snprintf(o->text, sizeof(o->text), "unknown user: \"%.*s\"", SV_ARG(f->r->user));
}

static void inject(struct fan *f, struct deliver_outcome *o)
{
	char id[LOCAL_ID_MAX];
	struct err e = ERR_INIT;
	*o = (struct deliver_outcome){ .status = DELIVER_DEFERRED, .dsn = DSN(4, 3, 0) };
	int rc = local_inject(f->r, f->x, id, &o->dsn, &e);
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

/* A part that an earlier try finished: true, and it is counted. */
static bool finished_before(struct fan *f, uint64_t key)
{
	struct deliver_outcome o;
	if (!f->parts || !local_parts_find(f->parts, key, &o))
		return false;
	count(&f->t, &o);
	return true;
}

static void finish(struct fan *f, uint64_t key, const struct deliver_outcome *o)
{
	if (f->parts)
		local_parts_add(f->parts, key, o);
	count(&f->t, o);
}

static uint64_t addresses_key(const struct local_expansion *x)
{
	uint64_t key = local_part_key("sender", x->sender);
	for (size_t i = 0; i < x->n; i++)
		key = key * 31 + local_part_key("address", x->addresses[i]);
	return key;
}

static void run_parts(struct fan *f)
{
	const struct local_expansion *x = f->x;
	struct deliver_outcome o;
	uint64_t key = local_part_key("mailbox", f->r->user);
	if (x->self && !finished_before(f, key)) {
		own_mailbox(f, &o);
		finish(f, key, &o);
	}
	for (size_t i = 0; i < x->nmembers; i++) {
		const struct local_member *m = &x->members[i];
		bool command = m->kind == ALIAS_COMMAND;
		key = local_part_key(command ? "command" : "file", m->text);
		if (finished_before(f, key))
			continue;
		if (command)
			local_command(f->r, m, x->sender, f->until, &o);
		else
			local_file(f->r, m, x->sender, f->parts != NULL, &o);
		finish(f, key, &o);
	}
	key = addresses_key(x);
	if (x->n > 0 && !finished_before(f, key)) {
		inject(f, &o);
		finish(f, key, &o);
	}
}

/* One result for all of them. */
static void settle(struct fan *f)
{
	struct deliver_outcome *o = &f->t.worst;
	if (f->parts && o->status == DELIVER_SENT) {
		(void)snprintf(o->text, sizeof(o->text), "%s", buf_z(&f->t.done));
	} else if (f->parts && o->status == DELIVER_BOUNCED && f->t.done.len > 0) {
		size_t n = strlen(o->text);
		(void)snprintf(o->text + n, sizeof(o->text) - n, " (others: %s)", buf_z(&f->t.done));
	}
	o->logged = o->logged && !f->parts;
	deliver_settled(f->r->rq, f->r->i, o);
}

int64_t local_patience(const struct local *l)
{
	return l->core.ipc_timeout * 900;
}

void local_fan_out(
        struct local_rcpt *r, const struct clnt_auth_identity *who, const struct local_expansion *x)
{
	struct fan f = { .r = r, .who = who, .x = x, .t = { .worst = { .status = DELIVER_NONE } } };
	size_t parts = (x->self ? 1 : 0) + x->nmembers + (x->n > 0 ? 1 : 0);
	f.until = fiber_deadline(local_patience(r->local));
	if (parts == 0) {
		deliver_done(r->rq, r->i, DELIVER_BOUNCED, DSN(5, 1, 1), "\"%.*s\" expands to nobody",
		        SV_ARG(r->name));
		return;
	}
	struct err e = ERR_INIT;
	if (parts > 1 && !(f.parts = local_parts_open(r, &e))) {
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "expansion", &e);
		return;
	}
	buf_init(&f.t.done, DELIVER_TEXT_MAX);
	run_parts(&f);
	local_parts_close(f.parts, f.t.worst.status == DELIVER_DEFERRED);
	settle(&f);
	buf_free(&f.t.done);
}
