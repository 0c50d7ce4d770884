/* A recipient from the request to the part that delivers it. */
#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "local/local.h"

/* Take the address apart, folded: local parts of users do not depend on case here. 1, 0 it is none, -1 no
 * memory. */
static int take_apart(struct local *l, struct deliver_request *rq, size_t i, struct local_rcpt *r)
{
	*r = (struct local_rcpt){ .local = l, .rq = rq, .i = i, .address = rq->rcpts[i].recipient };
	struct buf folded;
	buf_init(&folded, ADDR_MAX);
	int rc = addr_fold(&folded, r->address);
	struct sv all = arena_sv(rq->arena, buf_sv(&folded));
	buf_free(&folded);
	if (rc < 0 || !all.p)
		return rc < 0 ? 0 : -1;
	(void)addr_split(all, &r->name, &r->domain);
	if (r->name.len > 1 && r->name.p[0] == '\\') {
		r->plain = true;
		r->name = sv_from(r->name, 1);
	}
	char delim;
	r->split = addr_split_ext(r->name, l->core.recipient_delimiter, l->core.owner_request_special, &r->user,
	                   &r->ext, &delim) == 1;
	return 1;
}

struct sv local_unmatched(const struct local_rcpt *r)
{
	return sv_empty(r->ext) ? SV_NONE : sv_from(r->name, r->user.len);
}

static void deliver_one(
        struct local *l, struct deliver_request *rq, size_t i, const struct local_loop *loop)
{
	struct local_rcpt r;
	int rc = take_apart(l, rq, i, &r);
	r.loop = loop;
	if (rc <= 0) {
		if (rc < 0)
			deliver_done(rq, i, DELIVER_DEFERRED, DSN(4, 3, 0), "out of memory");
		else
			deliver_done(rq, i, DELIVER_BOUNCED, DSN(5, 1, 3), "bad recipient address");
		return;
	}
	if (local_loop_has(loop, r.address)) {
		deliver_done(rq, i, DELIVER_BOUNCED, DSN(5, 4, 6), "mail forwarding loop for %.*s",
		        SV_ARG(r.address));
		return;
	}
	if (!r.plain && local_alias(&r) == 1)
		return;
	local_user(&r);
}

void local_handle(struct deliver_request *rq, void *ctx)
{
	struct local *l = ctx;
	struct local_loop loop = { 0 };
	struct err e = ERR_INIT;
	int rc = local_loop_read(rq, &loop, &e);
	for (size_t i = 0; i < rq->nrcpts; i++) {
		deliver_begin(rq);
		if (rc < 0)
			deliver_failed(rq, i, DSN(4, 3, 0), "cannot read the message", &e);
		else
			deliver_one(l, rq, i, &loop);
	}
}
