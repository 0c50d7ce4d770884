/*
 * cleanup/cleanup_virtual.c - virtual_alias_maps: an address becomes a list, and each of those again.
 *
 * Not recursive: the list grows at its end while it is walked. Three limits keep a table from growing it
 * without end: virtual_alias_expansion_limit (addresses), _recursion_limit (steps for one place of the
 * list), _address_length_limit. An address that maps to itself stays as it is.
 */
#include "cleanup/cleanup.h"
#include "lib/mail/addr.h"
#include "lib/sys/log.h"

struct expansion {
	struct cleanup_mail *m;
	struct sv *list;
	size_t n, cap;
	struct htab been; /* addresses that were looked up, folded */
};

static int refuse(struct expansion *x, const char *what, struct sv addr)
{
	log_warn("%s: unreasonable virtual_alias_maps %s for %.*s -- message not accepted, try again later",
		x->m->w.h.id, what, SV_ARG(sv_upto(addr, 300)));
	return cleanup_fail(x->m, CLEANUP_TEMP, 451, "4.6.0", "Error: virtual alias expansion error");
}

static int append(struct expansion *x, struct sv addr)
{
	if (x->n >= (size_t)x->m->c->p.virtual_alias_expansion_limit)
		return refuse(x, "map expansion size", x->list[0]);
	if (x->n == x->cap) {
		x->cap = 2 * x->cap + 8;
		x->list = mem_realloc(x->list, x->cap * sizeof(*x->list));
	}
	x->list[x->n++] = addr;
	return 0;
}

/* Was ADDR looked up before? Notes that it is now. */
static bool been_here(struct expansion *x, struct sv addr)
{
	static char yes;
	char folded[ADDR_MAX];
	size_t n = addr.len < sizeof(folded) ? addr.len : sizeof(folded);
	for (size_t i = 0; i < n; i++)
		folded[i] = ascii_lower(addr.p[i]);
	return htab_set(&x->been, sv_n(folded, n), &yes) != NULL;
}

/* What ADDR maps to. 1 found, 0 not, -1. */
static int look_up(struct expansion *x, struct sv addr, struct sv **out, size_t *n)
{
	struct cleanup_mail *m = x->m;
	struct map_keys keys;
	struct err e = ERR_INIT;
	size_t which = 0;
	if (cleanup_addr_keys(m, addr, &keys) < 0)
		return -1;
	buf_reset(&m->scratch);
	int rc = maps_find_keys(m->c->virtual_alias, &keys, &m->scratch, &which, &e);
	if (rc < 0)
		return cleanup_fail_temp(m, &e);
	if (rc == 0)
		return 0;
	struct sv ext = m->c->propagate_virtual ? map_keys_unmatched_ext(&keys, which) : SV_NONE;
	if (cleanup_addr_result(m, buf_sv(&m->scratch), addr, ext, out, n) < 0)
		return -1;
	return *n > 0 ? 1 : 0;
}

/* Expand the address at place I until it maps to nothing new. */
static int expand_place(struct expansion *x, size_t i)
{
	size_t limit = (size_t)x->m->c->p.virtual_alias_address_length_limit;
	for (int step = 0;; step++) {
		struct sv addr = x->list[i], *results;
		size_t n = 0;
		bool itself = false;
		if (been_here(x, addr))
			return 0;
		if (step >= x->m->c->p.virtual_alias_recursion_limit)
			return refuse(x, "map nesting", addr);
		int rc = look_up(x, addr, &results, &n);
		if (rc <= 0)
			return rc;
		for (size_t k = 0; k < n; k++) {
			if (results[k].len > limit)
				return refuse(x, "result", results[k]);
			itself = itself || addr_ieq(results[k], addr);
			if (k == 0)
				x->list[i] = results[0];
			else if (append(x, results[k]) < 0)
				return -1;
		}
		if (itself && addr_ieq(x->list[i], addr))
			return 0;
	}
}

int cleanup_virtual_expand(struct cleanup_mail *m, struct sv addr, struct sv **out, size_t *n)
{
	struct expansion x = { .m = m };
	int rc = append(&x, addr);
	htab_init(&x.been, m->dups.seed);
	if (!maps_empty(m->c->virtual_alias) && !(m->o.flags & CLEANUP_FLAG_NO_EXPAND))
		for (size_t i = 0; i < x.n && rc == 0; i++)
			rc = expand_place(&x, i);
	htab_free(&x.been);
	if (rc == 0) {
		*out = arena_array(&m->arena, x.n, sizeof(**out));
		*n = x.n;
		if (*out)
			memcpy(*out, x.list, x.n * sizeof(**out));
		else
			rc = cleanup_fail_memory(m);
	}
	free(x.list);
	return rc;
}
