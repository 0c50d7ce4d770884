/* What the members of an alias or .forward mean: own mailbox, other addresses, commands, files. */
#include "lib/base/hash.h"
#include "lib/mail/addr.h"
#include "lib/sys/rand.h"
#include "local/local.h"

#define GROW_FIRST 8

struct expander {
	const struct local_rcpt *r;
	struct local_expansion *out;
	struct htab seen; /* doubles are left out, as far as the limit goes */
	size_t addresses_cap, members_cap;
	struct err *e;
};

/* Is ADDRESS the name OWN at this site? 1, 0, -1 with E. */
static int is_own(const struct local_rcpt *r, struct sv address, struct sv own, struct err *e)
{
	struct sv local, domain, user, ext;
	char delim;
	bool has_domain = addr_split(address, &local, &domain);
	if (!sv_ieq(local, own)) {
		(void)addr_split_ext(local, r->local->core.recipient_delimiter,
		        r->local->core.owner_request_special, &user, &ext, &delim);
		if (!sv_ieq(user, own))
			return 0;
	}
	if (!has_domain || sv_ieq(domain, r->domain))
		return 1;
	return matchlist_string(r->local->mydestination, domain, e);
}

/* ITEM as it goes into the new mail: with a domain, "\user" kept as such, and the extension that was not looked
 * up (propagate_unmatched_extensions). */
static struct sv complete(const struct local_rcpt *r, const struct local_text *t, const struct alias_item *it)
{
	struct sv local, domain, ext = r->local->propagate_from & t->source ? t->ext : SV_NONE;
	bool has_domain = addr_split(it->text, &local, &domain);
	const char *mark = it->plain ? "\\" : "";
	if (has_domain && !it->plain && sv_empty(ext))
		return it->text;
	return sv_z(arena_printf(r->rq->arena, "%s%.*s%.*s@%.*s", mark, SV_ARG(local), SV_ARG(ext),
	        SV_ARG(has_domain ? domain : r->domain)));
}

/* By which doubles of the address FULL are known: where a user's name is the same in all of our domains, the
 * domain makes no other one. 0, or -1 with E. */
static int address_key(const struct local_rcpt *r, struct sv full, struct buf *key, struct err *e)
{
	struct sv local, domain;
	if (r->local->is_system && addr_split(full, &local, &domain) && !sv_ieq(domain, r->domain)) {
		int rc = matchlist_string(r->local->mydestination, domain, e);
		if (rc < 0)
			return -1;
		if (rc == 1)
			full = sv_z(arena_printf(r->rq->arena, "%.*s@%.*s", SV_ARG(local), SV_ARG(r->domain)));
	}
	(void)addr_fold(key, full);
	return 0;
}

/* Was KEY there before? It is from now on, as far as duplicate_filter_limit goes. */
static bool seen_before(struct expander *x, struct sv key)
{
	long limit = x->r->local->params.duplicate_filter_limit;
	if (htab_get(&x->seen, key))
		return true;
	if (limit == 0 || x->seen.count < (size_t)limit)
		(void)htab_set(&x->seen, key, x);
	return false;
}

static bool too_many(const struct local_expansion *x)
{
	return x->n + x->nmembers >= LOCAL_ITEMS_MAX;
}

/* V with room for one more; NULL at the arena's ceiling. */
static void *room_for_one(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	size_t more = *cap ? *cap * 2 : GROW_FIRST;
	void *p = arena_array(a, more, size);
	if (p && n > 0)
		memcpy(p, v, n * size);
	*cap = more;
	return p;
}

static int no_room(struct expander *x, const struct local_text *t)
{
	return err_set(x->e, ERR_TEMP, "%s: too many members", t->name);
}

static int add_address(struct expander *x, const struct local_text *t, const struct alias_item *it)
{
	struct local_expansion *out = x->out;
	int mine = is_own(x->r, it->text, t->own, x->e);
	if (mine < 0)
		return -1;
	if (mine == 1) {
		out->self = true;
		out->self_plain |= it->plain;
		return 0;
	}
	struct sv full = complete(x->r, t, it);
	struct buf key;
	buf_init(&key, ADDR_MAX + 1);
	int rc = address_key(x->r, full, &key, x->e);
	bool known = rc == 0 && seen_before(x, buf_sv(&key));
	buf_free(&key);
	if (rc < 0 || known)
		return rc;
	struct sv *v = room_for_one(
	        x->r->rq->arena, out->addresses, out->n, &x->addresses_cap, sizeof(*v));
	if (!v || x->r->rq->arena->exhausted || too_many(out))
		return no_room(x, t);
	out->addresses = v;
	out->addresses[out->n++] = full;
	return 0;
}

static int add_member(struct expander *x, const struct local_text *t, const struct alias_item *it)
{
	struct local_expansion *out = x->out;
	struct arena *a = x->r->rq->arena;
	char *key = arena_printf(a, "%c%s %.*s %.*s", it->kind == ALIAS_COMMAND ? '|' : '/',
	        t->rights.whose.kind, SV_ARG(t->rights.whose.name), SV_ARG(it->text));
	if (!key)
		return no_room(x, t);
	if (seen_before(x, sv_z(key)))
		return 0;
	struct local_member *v =
	        room_for_one(a, out->members, out->nmembers, &x->members_cap, sizeof(*v));
	char *where = arena_printf(a, "%s, line %u", t->name, it->line);
	if (!v || !where || too_many(out))
		return no_room(x, t);
	out->members = v;
	out->members[out->nmembers++] = (struct local_member){ .kind = it->kind,
		.text = it->text,
		.source = t->source,
		.rights = t->rights,
		.where = where };
	return 0;
}

/* "~/file" in a .forward: below the user's home. */
static int add_home_file(struct expander *x, const struct local_text *t, const struct alias_item *it)
{
	struct alias_item file = *it;
	file.kind = ALIAS_FILE;
	file.text = sv_z(arena_printf(x->r->rq->arena, "%.*s%.*s", SV_ARG(t->rights.user->home),
	        SV_ARG(sv_from(it->text, 1))));
	return file.text.p ? add_member(x, t, &file) : no_room(x, t);
}

static bool is_home_file(const struct local_text *t, const struct alias_item *it)
{
	return t->source == LOCAL_FROM_FORWARD && t->rights.user && sv_starts(it->text, SV("~/"));
}

static int add_all(struct expander *x, const struct local_text *t, const struct alias_list *l);

/* An alias in an alias, without an owner: its members are this one's, so that nobody gets the mail twice. */
static int add_nested(struct expander *x, const struct local_text *t, const struct alias_item *it)
{
	struct local_text inner;
	struct alias_list list;
	int rc = local_nested(x->r, t, it, x->out, &inner, &list, x->e);
	if (rc <= 0)
		return rc < 0 ? -1 : add_address(x, t, it);
	char *key = arena_printf(x->r->rq->arena, "alias %.*s", SV_ARG(inner.own));
	if (!key)
		return no_room(x, t);
	return seen_before(x, sv_z(key)) ? 0 : add_all(x, &inner, &list);
}

static int add_include(struct expander *x, const struct local_text *t, const struct alias_item *it)
{
	struct local_text inner;
	struct alias_list list;
	char *key = arena_printf(x->r->rq->arena, ":include:%.*s", SV_ARG(it->text));
	if (!key)
		return no_room(x, t);
	if (seen_before(x, sv_z(key))) /* also what includes itself */
		return 0;
	if (t->depth >= LOCAL_DEPTH_MAX)
		return err_set(x->e, ERR_CONFIG, "%s, line %u: :include: files are nested more than %d deep", t->name,
		        it->line, LOCAL_DEPTH_MAX);
	if (local_include(x->r, t, it, x->out, &inner, &list, x->e) < 0)
		return -1;
	return add_all(x, &inner, &list);
}

static int add_all(struct expander *x, const struct local_text *t, const struct alias_list *l)
{
	int rc = 0;
	for (size_t i = 0; i < l->count && rc == 0; i++) {
		const struct alias_item *it = &l->items[i];
		switch (it->kind) {
		case ALIAS_ADDRESS:
			rc = is_home_file(t, it) ? add_home_file(x, t, it) : add_nested(x, t, it);
			break;
		case ALIAS_COMMAND:
		case ALIAS_FILE: rc = add_member(x, t, it); break;
		case ALIAS_INCLUDE: rc = add_include(x, t, it); break;
		}
	}
	return rc;
}

int local_expand(const struct local_rcpt *r, const struct local_text *t, const struct alias_list *l,
        struct local_expansion *out, struct err *e)
{
	struct expander x = { .r = r, .out = out, .e = e };
	htab_init(&x.seen, (struct hash_seed){ rand_u64(), rand_u64() });
	int rc = add_all(&x, t, l);
	htab_free(&x.seen);
	return rc;
}
