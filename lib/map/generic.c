#include "lib/map/generic.h"

#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"
#include "lib/mail/header_rewrite.h"

#define TOKENS_MAX        10240 /* of a field, as header_address_token_limit */
#define RESULT_TOKENS_MAX 100

static bool lists_word(const char *list, const char *word)
{
	struct sv rest = sv_z(list);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && !ascii_is_blank(rest.p[n]) && rest.p[n] != ',')
			n++;
		if (sv_ieqz(sv_upto(rest, n), word))
			return true;
		rest = sv_from(rest, n < rest.len ? n + 1 : n);
	}
	return false;
}

int generic_open(struct generic *g, const char *title, const char *list, const struct params_core *core,
	const struct maps_env *env, struct err *e)
{
	*g = (struct generic){ .core = core };
	g->propagate = lists_word(core->propagate_unmatched_extensions, "generic");
	g->maps = maps_open(title, list, env, 0, e);
	unsigned parent = matchlist_parent_flag(core->parent_domain_matches_subdomains, "mydestination");
	if (g->maps && !maps_empty(g->maps))
		g->mydestination = matchlist_open("mydestination", core->mydestination, parent, env, e);
	return g->maps && (maps_empty(g->maps) || g->mydestination) ? 0 : -1;
}

void generic_close(struct generic *g)
{
	maps_free(g->maps);
	matchlist_free(g->mydestination);
	*g = (struct generic){ .maps = NULL };
}

bool generic_empty(const struct generic *g)
{
	return !g->maps || maps_empty(g->maps);
}

/* What RESULT of a table makes of ADDR; empty: no address in it, or no memory. */
static struct sv from_result(
	struct generic *g, struct sv result, struct sv addr, struct sv ext, struct arena *a)
{
	struct addr_list l;
	struct sv local, domain, at;
	bool has_domain = addr_split(addr, &local, &domain);
	result = sv_trim(result);
	if (result.len > 1 && result.p[0] == '@' && sv_chr(result, ',') < 0 && sv_chr(result, ':') < 0)
		return sv_z(arena_printf(a, "%.*s%.*s", SV_ARG(has_domain ? local : addr), SV_ARG(result)));
	if (addr_list_parse(result, RESULT_TOKENS_MAX, a, &l) < 0)
		return SV_NONE;
	for (size_t i = 0; i < l.count; i++) {
		if (l.items[i].kind != ADDR_ITEM_MAILBOX || l.items[i].internal.len == 0)
			continue;
		if (!addr_split(l.items[i].internal, &local, &at)) {
			local = l.items[i].internal;
			at = sv_z(g->core->myorigin);
		}
		return sv_z(arena_printf(a, "%.*s%.*s@%.*s", SV_ARG(local), SV_ARG(ext), SV_ARG(at)));
	}
	return SV_NONE;
}

/* Keys of ADDR; 0 or -1 (mydestination could not be asked). */
static int keys_of(struct generic *g, struct sv addr, struct map_keys *keys, struct err *e)
{
	struct map_key_rules rules = { .delimiters = g->core->recipient_delimiter,
		.owner_request_special = g->core->owner_request_special };
	struct sv local, domain;
	if (addr_split(addr, &local, &domain)) {
		int rc = sv_ieqz(domain, g->core->myorigin) ? 1 :
			matchlist_domain(g->mydestination, domain, e);
		if (rc < 0)
			return -1;
		rules.local = rc == 1;
	}
	map_keys_addr(keys, addr, &rules);
	return 0;
}

int generic_addr(struct generic *g, struct sv *addr, struct arena *a, struct err *e)
{
	struct map_keys keys;
	struct buf value;
	size_t which = 0;
	if (generic_empty(g) || addr->len == 0)
		return 0;
	if (keys_of(g, *addr, &keys, e) < 0)
		return -1;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = maps_find_keys(g->maps, &keys, &value, &which, e);
	if (rc == 1) {
		struct sv ext = g->propagate ? map_keys_unmatched_ext(&keys, which) : SV_NONE;
		struct sv mapped = from_result(g, buf_sv(&value), *addr, ext, a);
		if (mapped.len > 0)
			*addr = mapped;
		else
			rc = err_set(e, ERR_CONFIG, "%s: the entry for %.*s in %s holds no address",
				maps_title(g->maps), SV_ARG(*addr), maps_last(g->maps));
	}
	buf_free(&value);
	return rc;
}

static int rewrite(void *ctx, struct sv *addr, struct arena *a, struct err *e)
{
	return generic_addr(ctx, addr, a, e);
}

int generic_head(struct generic *g, struct sv head, struct buf *out, struct err *e)
{
	return header_rewrite(head, TOKENS_MAX, rewrite, g, out, e);
}
