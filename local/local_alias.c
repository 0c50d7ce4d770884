/* alias_maps: look-up order, owner- aliases. */
#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/alias_grammar.h"
#include "lib/sys/sys.h"
#include "local/local.h"

int local_alias_find(struct local *l, struct sv name, struct buf *value, struct err *e)
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
	x->sender = r->rq->sender;
	x->member = !r->local->params.reset_owner_alias && r->loop->nsteps > 0 && r->loop->steps[0].list;
	x->in_place = !x->member && x->nfds == 0;
	if (!r->local->core.owner_request_special || sv_empty(r->rq->sender))
		return 0;
	struct sv owner = sv_z(arena_printf(r->rq->arena, "owner-%.*s", SV_ARG(name)));
	int rc = local_alias_find(r->local, owner, value, e);
	if (rc <= 0)
		return rc;
	x->list = true;
	x->in_place = false;
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

struct open_job {
	const char *path;
	int fd, saved;
};

static void open_run(void *rec)
{
	struct open_job *j = rec;
	j->fd = sys_open(j->path, O_PATH, 0);
	j->saved = errno;
}

/* Commands and files of an alias are its file's owner's; of a table without a file nobody's in particular.
 * 0, or -1 with E. */
static int rights(struct local *l, struct local_rights *out, struct err *e)
{
	struct open_job j = { .path = maps_last_file(l->aliases), .fd = -1 };
	*out = (struct local_rights){ .whose = { .kind = "default", .fd = -1 } };
	if (!j.path)
		return 0;
	fiber_offload(FIBER_POOL_LOOKUP, open_run, &j);
	if (j.fd < 0)
		return err_sys(e, j.saved, "open %s", j.path);
	out->whose = (struct clnt_auth_whose){ .kind = "owner", .fd = j.fd };
	return 0;
}

static bool has_rights(const struct alias_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].kind != ALIAS_ADDRESS)
			return true;
	return false;
}

/* The members of the alias T with the name NAME. 0, or -1 with E. */
static int expand(struct local_rcpt *r, struct local_text *t, struct sv name, struct buf *value,
        struct local_expansion *x, struct err *e)
{
	struct alias_list list;
	t->own = name;
	t->ext = sv_eq(name, r->name) ? SV_NONE : local_unmatched(r);
	if (alias_parse(x->written, ALIAS_RHS, t->name, 1, LOCAL_ITEMS_MAX, r->rq->arena, &list, e) < 0 ||
	        (has_rights(&list) && rights(r->local, &t->rights, e) < 0) ||
	        local_expand(r, t, &list, x, e) < 0)
		return -1;
	return owner_sender(r, name, value, x, e);
}

/* FIRST and then SECOND, of N octets each. */
static void *joined(struct arena *a, const void *first, size_t nfirst, const void *second, size_t nsecond, size_t n)
{
	char *p = arena_array(a, nfirst + nsecond, n);
	if (p && nfirst > 0)
		memcpy(p, first, nfirst * n);
	if (p && nsecond > 0)
		memcpy(p + nfirst * n, second, nsecond * n);
	return p;
}

/* The alias X names the user himself, WHO: what .forward says (F) counts. 0, or -1 with E. */
static int forward_self(struct local_rcpt *r, const struct clnt_auth_identity *who, struct local_expansion *x,
        struct local_expansion *f, struct err *e)
{
	struct arena *a = r->rq->arena;
	int rc = local_forward(r, who, f, e);
	if (rc <= 0)
		return rc;
	x->self = f->self;
	x->addresses = joined(a, x->addresses, x->n, f->addresses, f->n, sizeof(*x->addresses));
	x->members = joined(a, x->members, x->nmembers, f->members, f->nmembers, sizeof(*x->members));
	x->n += f->n;
	x->nmembers += f->nmembers;
	if (local_note_text(r, x, SV(".forward"), f->written) < 0 || !x->addresses || !x->members)
		return err_set(e, ERR_TEMP, "the alias and .forward together are too large");
	return 0;
}

/* Commands of a list with an owner: what becomes of them is reported to the owner, so the mail is made the
 * owner's first. False: it is already. */
static bool hand_to_owner(struct local_rcpt *r, const struct local_expansion *x)
{
	if (!x->list || x->nmembers == 0 || addr_ieq(r->rq->sender, x->sender) ||
	        local_loop_owner(r->loop, x->sender))
		return false;
	struct local_expansion again = {
		.addresses = &r->address,
		.n = 1,
		.written = x->written,
		.sender = x->sender,
		.list = true,
		.again = true,
	};
	local_fan_out(r, NULL, &again);
	return true;
}

/* NAME has the VALUE: expand and deliver. */
static void deliver_alias(struct local_rcpt *r, struct sv name, struct buf *value)
{
	struct deliver_request *rq = r->rq;
	struct err e = ERR_INIT;
	struct local_expansion x = { .written = arena_sv(rq->arena, buf_sv(value)) };
	struct local_text t = { .source = LOCAL_FROM_ALIAS, .rights = { .whose = { .fd = -1 } } };
	struct local_expansion f = { 0 };
	struct clnt_auth_identity who;
	int rc = -1;
	t.name = arena_printf(
	        rq->arena, "%s: alias \"%.*s\"", maps_last(r->local->aliases), SV_ARG(name));
	if (!t.name || !x.written.p)
		err_set(&e, ERR_TEMP, "alias \"%.*s\" is too large", SV_ARG(name));
	else
		rc = expand(r, &t, name, value, &x, &e);
	if (rc < 0 || !hand_to_owner(r, &x)) {
		if (rc == 0 && x.self)
			rc = local_who(r, &who, &e);
		if (rc == 1 && !x.self_plain && forward_self(r, &who, &x, &f, &e) < 0)
			rc = -1;
		if (rc >= 0)
			local_fan_out(r, rc == 1 ? &who : NULL, &x);
		else
			deliver_failed(rq, r->i, DSN(4, 3, 5), "alias expansion", &e);
	}
	local_expansion_close(&x);
	local_expansion_close(&f);
	sys_close(t.rights.whose.fd);
}

int local_alias(struct local_rcpt *r)
{
	if (maps_empty(r->local->aliases))
		return 0;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	struct err e = ERR_INIT;
	struct sv name = r->name;
	int rc = local_alias_find(r->local, name, &value, &e);
	if (rc == 0 && r->split) {
		name = r->user;
		rc = local_alias_find(r->local, name, &value, &e);
	}
	if (rc == 1)
		deliver_alias(r, name, &value);
	else if (rc < 0)
		deliver_failed(r->rq, r->i, DSN(4, 3, 0), "alias database unavailable", &e);
	buf_free(&value);
	return rc != 0;
}
