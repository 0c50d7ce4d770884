/* Aliases in aliases. */
#include "lib/mail/addr.h"
#include "lib/mail/alias_grammar.h"
#include "local/local.h"

#define DEPTH_MAX 100

/* The local part of ADDRESS, folded, if the address is ours. 1, 0, -1 with E. */
static int our_name(const struct local_rcpt *r, struct sv address, struct sv *name, struct err *e)
{
	struct sv local, domain;
	bool has_domain = addr_split(address, &local, &domain);
	struct buf folded;
	int rc = !has_domain || sv_ieq(domain, r->domain)
	                 ? 1
	                 : matchlist_string(r->local->mydestination, domain, e);
	if (rc <= 0)
		return rc;
	buf_init(&folded, ADDR_MAX);
	for (size_t i = 0; i < local.len; i++)
		(void)buf_putc(&folded, ascii_lower(local.p[i]));
	*name = arena_sv(r->rq->arena, buf_sv(&folded));
	buf_free(&folded);
	return name->p ? 1 : err_set(e, ERR_TEMP, "out of memory for an alias");
}

/* The alias for NAME, or for NAME without its extension, which is in *EXT then. 1, 0, -1 with E. */
static int look_up(const struct local_rcpt *r, struct sv *name, struct sv *ext, struct buf *value, struct err *e)
{
	struct local *l = r->local;
	struct sv user, tail, all = *name;
	char delim;
	int rc = local_alias_find(l, all, value, e);
	*ext = SV_NONE;
	if (rc != 0 || addr_split_ext(all, l->core.recipient_delimiter, l->core.owner_request_special, &user, &tail,
	                       &delim) != 1)
		return rc;
	*name = user;
	*ext = sv_empty(tail) ? SV_NONE : sv_from(all, user.len);
	return local_alias_find(l, user, value, e);
}

/* Who has an owner gets a mail of its own, with that sender. 1, 0, -1 with E. */
static int has_owner(const struct local_rcpt *r, struct sv name, struct buf *scratch, struct err *e)
{
	struct sv owner = sv_z(arena_printf(r->rq->arena, "owner-%.*s", SV_ARG(name)));
	if (!r->local->core.owner_request_special)
		return 0;
	return local_alias_find(r->local, owner, scratch, e);
}

/* Addresses, none of which is the alias's own name: that means a user's mailbox. */
static bool addresses_only(const struct local_rcpt *r, struct sv name, const struct alias_list *l)
{
	struct sv local, domain;
	for (size_t i = 0; i < l->count; i++) {
		(void)addr_split(l->items[i].text, &local, &domain);
		bool own = sv_istarts(local, name) &&
		           (local.len == name.len || strchr(r->local->core.recipient_delimiter, local.p[name.len]));
		if (l->items[i].kind != ALIAS_ADDRESS || l->items[i].plain || own)
			return false;
	}
	return l->count > 0;
}

static bool is_open(const struct local_text *t, struct sv name)
{
	for (; t; t = t->parent)
		if (sv_eq(t->own, name))
			return true;
	return false;
}

int local_nested(const struct local_rcpt *r, const struct local_text *t, const struct alias_item *it,
        struct local_expansion *x, struct local_text *out, struct alias_list *list, struct err *e)
{
	if (t->source != LOCAL_FROM_ALIAS || it->plain || t->depth >= DEPTH_MAX || maps_empty(r->local->aliases))
		return 0;
	struct buf value, scratch;
	struct sv name, ext;
	buf_init(&value, MAP_VALUE_MAX);
	buf_init(&scratch, MAP_VALUE_MAX);
	int rc = our_name(r, it->text, &name, e);
	if (rc == 1)
		rc = look_up(r, &name, &ext, &value, e);
	/* one that leads back to itself is sent round: the loop is found there, and told once */
	if (rc == 1 && is_open(t, name))
		rc = 0;
	if (rc == 1) {
		int owned = has_owner(r, name, &scratch, e);
		/* what a list's alias leads to is that alias's own then */
		if (owned == 0 && r->local->params.reset_owner_alias)
			owned = has_owner(r, t->own, &scratch, e);
		rc = owned < 0 ? -1 : owned == 0;
	}
	if (rc == 1) {
		*out = (struct local_text){ .name = arena_printf(r->rq->arena, "%s: alias \"%.*s\"",
		                                    maps_last(r->local->aliases), SV_ARG(name)),
			.own = name,
			.source = LOCAL_FROM_ALIAS,
			.rights = t->rights,
			.depth = t->depth + 1,
			.parent = t,
			.ext = ext };
		struct sv text = arena_sv(r->rq->arena, buf_sv(&value));
		if (!out->name || !text.p)
			rc = err_set(e, ERR_TEMP, "alias \"%.*s\" is too large", SV_ARG(name));
		else
			rc = alias_parse(text, ALIAS_RHS, out->name, 1, LOCAL_ITEMS_MAX, r->rq->arena, list, e);
	}
	if (rc == 1)
		rc = !addresses_only(r, name, list) ? 0
		     : local_note_text(r, x, name, buf_sv(&value)) < 0
		             ? err_set(e, ERR_TEMP, "alias \"%.*s\" is too large", SV_ARG(name))
		             : 1;
	buf_free(&value);
	buf_free(&scratch);
	return rc;
}
