/* cleanup/cleanup_addr.c - one address through trivial-rewrite, the canonical maps, masquerade_domains. */
#include "cleanup/cleanup.h"

#include "cleanup/cleanup_masquerade.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"
#include "lib/sys/log.h"

enum {
	REWRITE_MS = 100 * 1000, /* how long trivial-rewrite may take */
	REWRITE_BATCH = 200,     /* addresses asked at once */
	CANONICAL_DEPTH = 10,
	RESULT_TOKENS = 100000,  /* of a table's result; the real limits are those of virtual aliases */
};

/* N addresses, none empty. */
static int rewrite_batch(struct cleanup_mail *m, const char *context, struct sv *addrs, size_t n)
{
	struct err e = ERR_INIT;
	struct sv *out = NULL;
	if (n == 0)
		return 0;
	if (clnt_rewrite_addrs(m->c->rewrite, context, addrs, n, &m->arena, &out, fiber_deadline(REWRITE_MS),
		    &e) != 1)
		return cleanup_fail_temp(m, &e);
	memcpy(addrs, out, n * sizeof(*addrs));
	return 0;
}

int cleanup_addr_rewrite(struct cleanup_mail *m, const char *context, struct sv *addrs, size_t n)
{
	struct sv batch[REWRITE_BATCH];
	size_t where[REWRITE_BATCH];
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		for (; i < n && k < REWRITE_BATCH; i++) {
			if (addrs[i].len == 0)
				continue;
			where[k] = i;
			batch[k++] = addrs[i];
		}
		if (rewrite_batch(m, context, batch, k) < 0)
			return -1;
		for (size_t j = 0; j < k; j++)
			addrs[where[j]] = batch[j];
	}
	return 0;
}

int cleanup_addr_keys(struct cleanup_mail *m, struct sv addr, struct map_keys *keys)
{
	struct cleanup *c = m->c;
	struct map_key_rules rules = { .delimiters = c->core.recipient_delimiter,
		.owner_request_special = c->core.owner_request_special };
	struct sv local, domain;
	struct err e = ERR_INIT;
	if (addr_split(addr, &local, &domain)) {
		int rc = sv_ieqz(domain, c->core.myorigin) ? 1 :
			matchlist_domain(c->mydestination, domain, &e);
		if (rc < 0)
			return cleanup_fail_temp(m, &e);
		rules.local = rc == 1;
	}
	map_keys_addr(keys, addr, &rules);
	return 0;
}

/* user@domain + "+ext" -> user+ext@domain, in the arena. Empty: no memory. */
static struct sv with_ext(struct cleanup_mail *m, struct sv addr, struct sv ext)
{
	struct sv local, domain;
	if (ext.len == 0)
		return arena_sv(&m->arena, addr);
	if (!addr_split(addr, &local, &domain))
		return sv_z(arena_printf(&m->arena, "%.*s%.*s", SV_ARG(addr), SV_ARG(ext)));
	return sv_z(arena_printf(&m->arena, "%.*s%.*s@%.*s", SV_ARG(local), SV_ARG(ext), SV_ARG(domain)));
}

/* The only address of a result "@domain": the same user there. */
static int result_domain(
	struct cleanup_mail *m, struct sv text, struct sv for_addr, struct sv **out, size_t *n)
{
	struct sv local, domain;
	if (!addr_split(for_addr, &local, &domain))
		local = for_addr;
	*out = arena_alloc(&m->arena, sizeof(**out));
	char *z = arena_printf(&m->arena, "%.*s%.*s", SV_ARG(local), SV_ARG(text));
	if (!*out || !z)
		return cleanup_fail_memory(m);
	(*out)[0] = sv_z(z);
	*n = 1;
	return cleanup_addr_rewrite(m, "local", *out, 1);
}

int cleanup_addr_result(struct cleanup_mail *m, struct sv text, struct sv for_addr, struct sv ext,
	struct sv **out, size_t *n)
{
	struct addr_list l;
	text = sv_trim(text);
	if (text.len > 1 && text.p[0] == '@' && sv_chr(text, ',') < 0 && sv_chr(text, ':') < 0)
		return result_domain(m, text, for_addr, out, n);
	if (addr_list_parse(text, RESULT_TOKENS, &m->arena, &l) < 0)
		return cleanup_fail_memory(m);
	*out = arena_array(&m->arena, l.count ? l.count : 1, sizeof(**out));
	if (!*out)
		return cleanup_fail_memory(m);
	*n = 0;
	for (size_t i = 0; i < l.count; i++) {
		if (l.items[i].kind != ADDR_ITEM_MAILBOX || l.items[i].internal.len == 0)
			continue;
		struct sv a = with_ext(m, l.items[i].internal, ext);
		if (a.len == 0)
			return cleanup_fail_memory(m);
		(*out)[(*n)++] = a;
	}
	return cleanup_addr_rewrite(m, "local", *out, *n);
}

/* One look-up of *ADDR in MAPS. 1 *addr is replaced, 0 not there, -1. */
static int map_once(struct cleanup_mail *m, struct maps *maps, struct sv *addr)
{
	struct map_keys keys;
	struct err e = ERR_INIT;
	struct sv *results;
	size_t which = 0, n = 0;
	if (cleanup_addr_keys(m, *addr, &keys) < 0)
		return -1;
	buf_reset(&m->scratch);
	int rc = maps_find_keys(maps, &keys, &m->scratch, &which, &e);
	if (rc < 0)
		return cleanup_fail_temp(m, &e);
	if (rc == 0)
		return 0;
	struct sv ext = m->c->propagate_canonical ? map_keys_unmatched_ext(&keys, which) : SV_NONE;
	if (cleanup_addr_result(m, buf_sv(&m->scratch), *addr, ext, &results, &n) < 0)
		return -1;
	if (n == 0) {
		err_set(&e, ERR_CONFIG, "%s: the entry for %.*s in %s holds no address", maps_title(maps),
			SV_ARG(*addr), maps_last(maps));
		return cleanup_fail_temp(m, &e);
	}
	if (n > 1)
		log_warn("%s: multi-valued %s entry for %.*s: only the first address is used", m->w.h.id,
			maps_title(maps), SV_ARG(*addr));
	*addr = results[0];
	return 1;
}

static int map_one(struct cleanup_mail *m, const struct cleanup_canon *canon, unsigned cls, struct sv *addr)
{
	if (!(canon->classes & cls) || maps_empty(canon->maps) || addr->len == 0)
		return 0;
	for (int depth = 0; depth < CANONICAL_DEPTH; depth++) {
		struct sv before = *addr;
		int rc = map_once(m, canon->maps, addr);
		if (rc <= 0)
			return rc;
		if (addr_ieq(before, *addr))
			return 0;
	}
	struct err e = ERR_INIT;
	err_set(&e, ERR_CONFIG, "unreasonable %s map nesting for %.*s", maps_title(canon->maps),
		SV_ARG(*addr));
	return cleanup_fail_temp(m, &e);
}

/* masquerade_domains, but for masquerade_exceptions, which are names without domain. */
static int masquerade(struct cleanup_mail *m, unsigned cls, struct sv *addr)
{
	struct cleanup *c = m->c;
	struct sv local, domain;
	struct err e = ERR_INIT;
	if (!(c->masquerade_classes & cls) || !c->p.masquerade_domains[0] || !addr_split(*addr, &local, &domain))
		return 0;
	struct sv shown = masquerade_domain(domain, c->p.masquerade_domains);
	if (shown.len == domain.len)
		return 0;
	int rc = matchlist_string(c->masquerade_exceptions, local, &e);
	if (rc != 0)
		return rc < 0 ? cleanup_fail_temp(m, &e) : 0;
	char *z = arena_printf(&m->arena, "%.*s@%.*s", SV_ARG(local), SV_ARG(shown));
	if (!z)
		return cleanup_fail_memory(m);
	*addr = sv_z(z);
	return 0;
}

int cleanup_addr_canonical(struct cleanup_mail *m, unsigned cls, struct sv *addr)
{
	const struct cleanup *c = m->c;
	bool sender = cls == CLASS_ENV_SENDER || cls == CLASS_HDR_SENDER;
	if (m->o.flags & CLEANUP_FLAG_NO_EXPAND)
		return 0;
	if (map_one(m, sender ? &c->sender_canon : &c->rcpt_canon, cls, addr) < 0)
		return -1;
	if (map_one(m, &c->both_canon, cls, addr) < 0)
		return -1;
	return masquerade(m, cls, addr);
}
