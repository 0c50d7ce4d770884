/* What the members of an alias or .forward mean: own mailbox, other addresses, or not possible. */
#include <stdio.h>

#include "lib/base/hash.h"
#include "lib/mail/addr.h"
#include "lib/mail/alias_grammar.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "local/local.h"

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

static const char *kind_name(const struct alias_item *it)
{
	switch (it->kind) {
	case ALIAS_COMMAND: return "a command";
	case ALIAS_FILE: return "a file";
	case ALIAS_INCLUDE: return "an :include: file";
	case ALIAS_ADDRESS: break;
	}
	return "an address";
}

/* ITEM as it goes into the new mail: with a domain, "\user" kept as such. */
static struct sv complete(const struct local_rcpt *r, const struct alias_item *it)
{
	struct sv local, domain;
	bool has_domain = addr_split(it->text, &local, &domain);
	const char *mark = it->plain ? "\\" : "";
	if (has_domain && !it->plain)
		return it->text;
	return sv_z(arena_printf(r->rq->arena, "%s%.*s@%.*s", mark, SV_ARG(local),
	        SV_ARG(has_domain ? domain : r->domain)));
}

int local_expand(const struct local_rcpt *r, const struct alias_list *l, struct sv own,
        const char *source, struct local_expansion *out, struct err *e)
{
	int rc = 0;
	struct htab seen; /* doubles are left out, as far as the limit goes */
	htab_init(&seen, (struct hash_seed){ rand_u64(), rand_u64() });
	out->addresses =
	        arena_array(r->rq->arena, l->count ? l->count : 1, sizeof(*out->addresses));
	if (!out->addresses)
		rc = err_set(e, ERR_TEMP, "%s: too many members", source);
	for (size_t i = 0; i < l->count && rc == 0; i++) {
		const struct alias_item *it = &l->items[i];
		if (it->kind != ALIAS_ADDRESS) {
			rc = err_set(e, ERR_CONFIG,
			        "%s, line %u: delivery to %s is not part of this version", source,
			        it->line, kind_name(it));
			break;
		}
		int mine = is_own(r, it->text, own, e);
		out->self |= mine == 1;
		struct sv full = mine == 0 ? complete(r, it) : SV_NONE;
		if (mine < 0 || r->rq->arena->exhausted)
			rc = mine < 0 ? -1 : err_set(e, ERR_TEMP, "%s: too many members", source);
		if (rc < 0 || mine == 1)
			continue;
		struct buf key;
		buf_init(&key, ADDR_MAX + 1);
		(void)addr_fold(&key, full);
		long limit = r->local->params.duplicate_filter_limit;
		if (!htab_get(&seen, buf_sv(&key))) {
			out->addresses[out->n++] = full;
			if (limit == 0 || seen.count < (size_t)limit)
				(void)htab_set(&seen, buf_sv(&key), out);
		}
		buf_free(&key);
	}
	htab_free(&seen);
	return rc;
}

/* The user's own mailbox, as one member of an expansion. */
static void own_mailbox(struct local_rcpt *r, const struct clnt_auth_identity *who,
        const struct local_expansion *x, struct deliver_outcome *o)
{
	if (who) {
		/* when the rest fails, all is tried again: the key keeps the mailbox from a
		 * second copy */
		local_mailbox(r, who, x->n > 0, o);
		return;
	}
	*o = (struct deliver_outcome){ .status = DELIVER_BOUNCED, .dsn = DSN(5, 1, 1) };
	(void)snprintf(o->text, sizeof(o->text), "unknown user: \"%.*s\"", SV_ARG(r->user));
}

/*
 * The mailbox comes first, and while it cannot be written the others wait: forwarding twice cannot be
 * taken back. A mailbox that refuses the mail for good does not keep it from the others.
 */
void local_fan_out(
        struct local_rcpt *r, const struct clnt_auth_identity *who, const struct local_expansion *x)
{
	struct deliver_request *rq = r->rq;
	struct deliver_outcome o = { .status = DELIVER_NONE };
	if (x->self) {
		own_mailbox(r, who, x, &o);
		if (o.status == DELIVER_DEFERRED || x->n == 0) {
			deliver_done(rq, r->i, o.status, o.dsn, "%s", o.text);
			return;
		}
	}
	if (x->n == 0) {
		deliver_done(rq, r->i, DELIVER_BOUNCED, DSN(5, 1, 1), "\"%.*s\" expands to nobody",
		        SV_ARG(r->name));
		return;
	}
	char id[LOCAL_ID_MAX];
	struct dsn_code dsn = DSN(4, 3, 0);
	struct err e = ERR_INIT;
	int rc = local_inject(r, x, id, &dsn, &e);
	if (rc < 0)
		deliver_failed(rq, r->i, dsn, "forwarding", &e);
	else if (rc == 0)
		deliver_done(rq, r->i, DELIVER_BOUNCED, dsn, "forwarding: %s", e.text);
	else if (o.status == DELIVER_BOUNCED)
		deliver_done(rq, r->i, o.status, o.dsn, "%s (the others got it as %s)", o.text, id);
	else
		deliver_done(rq, r->i, DELIVER_SENT, DSN(2, 0, 0), "%s%sforwarded as %s",
		        o.status ? o.text : "", o.status ? ", " : "", id);
}
