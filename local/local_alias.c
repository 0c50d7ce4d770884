/* alias_maps: look-up order, owner- aliases. */
#include "lib/mail/addr.h"
#include "lib/mail/alias_grammar.h"
#include "lib/sys/log.h"
#include "local/local.h"

/* Look NAME up. 1 with VALUE, 0, -1 with E. */
static int find(struct local *l, struct sv name, struct buf *value, struct err *e)
{
	buf_reset(value);
	int rc = maps_find(l->aliases, name, value, e);
	return rc == 1 && value->len == 0 ? 0 : rc;
}

static struct sv at_domain(const struct local_rcpt *r, struct sv name)
{
	const char *z = arena_printf(r->rq->arena, "%.*s@%.*s", SV_ARG(name), SV_ARG(r->domain));
	return sv_z(z);
}

/*
 * A list has an owner: NAME's companion "owner-NAME" becomes the sender, so that bounces of members do
 * not reach the author. Mail without a sender keeps none. 0, or -1 with E.
 */
static int owner_sender(struct local_rcpt *r, struct sv name, struct buf *value,
        struct local_expansion *x, struct err *e)
{
	bool special = sv_istarts(name, SV("owner-")) || sv_iends(name, SV("-request"));
	x->sender = r->rq->sender;
	if (special || sv_empty(r->rq->sender))
		return 0;
	struct sv owner = sv_z(arena_printf(r->rq->arena, "owner-%.*s", SV_ARG(name)));
	int rc = find(r->local, owner, value, e);
	if (rc <= 0)
		return rc;
	x->list = true;
	x->sender = at_domain(r, owner);
	if (!r->local->params.expand_owner_alias)
		return 0;
	struct alias_list l;
	struct err ignored = ERR_INIT;
	if (alias_parse(buf_sv(value), ALIAS_RHS, "alias", 1, 2, r->rq->arena, &l, &ignored) == 1 &&
	        l.count == 1 && l.items[0].kind == ALIAS_ADDRESS) {
		struct sv local, domain;
		x->sender = addr_split(l.items[0].text, &local, &domain)
		                    ? l.items[0].text
		                    : at_domain(r, l.items[0].text);
	}
	return 0;
}

/* NAME has the VALUE: expand and deliver. */
static void deliver_alias(struct local_rcpt *r, struct sv name, struct buf *value)
{
	struct deliver_request *rq = r->rq;
	struct err e = ERR_INIT;
	struct local_expansion x = { .written = arena_sv(rq->arena, buf_sv(value)) };
	const char *source = arena_printf(
	        rq->arena, "%s: alias \"%.*s\"", maps_last(r->local->aliases), SV_ARG(name));
	struct alias_list list;
	if (!source || !x.written.p)
		err_set(&e, ERR_TEMP, "alias \"%.*s\" is too large", SV_ARG(name));
	else if (alias_parse(x.written, ALIAS_RHS, source, 1, LOCAL_ITEMS_MAX, rq->arena, &list,
	                 &e) == 1 &&
	         local_expand(r, &list, name, source, &x, &e) == 0 &&
	         owner_sender(r, name, value, &x, &e) == 0) {
		struct clnt_auth_identity who;
		int rc = x.self ? local_who(r, &who, &e) : 0;
		if (rc >= 0) {
			local_fan_out(r, rc == 1 ? &who : NULL, &x);
			return;
		}
	}
	deliver_failed(rq, r->i, DSN(4, 3, 5), "alias expansion", &e);
}

int local_alias(struct local_rcpt *r)
{
	if (maps_empty(r->local->aliases))
		return 0;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	struct err e = ERR_INIT;
	struct sv name = r->name;
	int rc = find(r->local, name, &value, &e);
	if (rc == 0 && !sv_empty(r->ext)) {
		name = r->user;
		rc = find(r->local, name, &value, &e);
	}
	if (rc == 1)
		deliver_alias(r, name, &value);
	else if (rc < 0)
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "alias database unavailable", &e);
	buf_free(&value);
	return rc != 0;
}
