/*
 * lib/map/split.h - lists in parameter values: blanks and commas separate, { } keep together.
 *
 * Layer:  map (pure).
 * Errors: -1 for a brace without its partner, class CONFIG.
 */
#ifndef MAP_SPLIT_H
#define MAP_SPLIT_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct split {
	struct sv rest;
};

void split_init(struct split *s, struct sv text);
/* 1 and *item (outer braces kept), 0 at the end, -1. */
MUST_USE int split_next(struct split *s, struct sv *item, struct err *e);
/* The whole list must be one "{ ... }": go on inside it. 0 or -1. */
MUST_USE int split_braced(struct split *s, struct err *e);
/* "{ text }" gives "text"; anything else is returned as it is. */
struct sv split_unbrace(struct sv item);

#endif
