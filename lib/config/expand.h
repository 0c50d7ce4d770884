/*
 * lib/config/expand.h - $name, ${name}, $(name) and the conditional forms of Postfix.
 *
 * Layer:     config (pure).
 * Errors:    -1: syntax, nesting deeper than EXPAND_DEPTH, or OUT's ceiling; *e says which.
 * Security:  depth and length are bounded whatever the text says; a value that names itself is an
 *            error, not a loop.
 * Standards: postconf(5): $$; ${n?t} ${n?{t}} ${n:t} ${n:{t}} ${n?{t}:{t}};
 *            ${{a} == {b} ? {x} : {y}} with == != < <= > >= and the same with "level".
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define EXPAND_DEPTH 50

/* The value of NAME: 1 and *out, 0 no such name (expands to nothing), -1 with *e. */
typedef int expand_lookup_fn(void *arg, struct sv name, struct sv *out, struct err *e);

enum expand_flags {
	EXPAND_RECURSE = 1, /* values are expanded too */
	EXPAND_KEEP = 2,    /* an unknown $name stays as written */
	EXPAND_SCAN = 4     /* only report names to LOOKUP: both branches are walked */
};

struct expand {
	expand_lookup_fn *lookup;
	void *arg;
	unsigned flags;
	/* characters that a value may hold, others become '_'; NULL: all */
	const char *filter;
};

/* Append the expansion of TEXT to OUT. 0 or -1. */
MUST_USE int expand_text(const struct expand *x, struct sv text, struct buf *out, struct err *e);

#endif
