/*
 * lib/map/generic.h - generic(5): addresses of this site become ones that the world knows, on the way out.
 *
 * Layer:     map (event loop: look-ups as maps.h).
 * Ownership: generic_open() .. generic_close(); parameters and environment must outlive it.
 * Errors:    -1 with E: a table failed, the delivery waits. A mail never leaves with half of its
 *            addresses replaced.
 * Standards: internal; Postfix's generic(5): user+ext@domain, user@domain, for addresses of ours
 *            user+ext and user, @domain; a result "@domain" keeps the user; extensions follow where
 *            propagate_unmatched_extensions names "generic".
 *
 *     generic_open(&g, "smtp_generic_maps", p->smtp_generic_maps, &core, &env, &e)
 *     generic_addr(&g, &sender, arena, &e);             MAIL FROM, each RCPT TO
 *     generic_head(&g, head, &out, &e);                 the mail's header
 */
#ifndef MAP_GENERIC_H
#define MAP_GENERIC_H

#include "lib/base/arena.h"
#include "lib/config/params.h"
#include "lib/map/matchlist.h"

struct generic {
	struct maps *maps;
	struct matchlist *mydestination;
	const struct params_core *core;
	bool propagate;
};

/* TITLE: the parameter's name; LIST: its value. 0, or -1 with E; generic_close() in any case. */
MUST_USE int generic_open(struct generic *g, const char *title, const char *list,
	const struct params_core *core, const struct maps_env *env, struct err *e);
void generic_close(struct generic *g);
/* No table: nothing changes, so that nobody need read headers. */
bool generic_empty(const struct generic *g);

/* *ADDR (internal form; empty: <> stays) is replaced, in A. 1 replaced, 0 as it was, -1. */
MUST_USE int generic_addr(struct generic *g, struct sv *addr, struct arena *a, struct err *e);

/* Append HEAD (header_rewrite.h) to OUT with its addresses replaced. 0, -1. */
MUST_USE int generic_head(struct generic *g, struct sv head, struct buf *out, struct err *e);

#endif
