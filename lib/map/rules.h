/*
 * lib/map/rules.h - tables of rules tried in order: patterns with results, if ... endif; regexp: and
 * cidr:.
 *
 * Layer:     map (pure but for warnings about wrong rules).
 * Ownership: rules_parse() .. rules_free(); results are copied into the caller's buffer.
 * Errors:    a rule that is wrong is left out with a warning that names file and line, as in
 *            Postfix; the others count.
 * Security:  nesting of if is bounded; matching never recurses.
 */
#ifndef MAP_RULES_H
#define MAP_RULES_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define RULES_NESTING 32

struct rule {
	enum { RULE_MATCH, RULE_IF, RULE_ENDIF } kind;
	bool negate;
	void *matcher; /* of the kind's ops */
	char *result;
	size_t endif; /* RULE_IF: index of its endif */
};

/* A match in progress; groups belong to the kind. */
struct rule_hit {
	struct sv key;
	size_t ngroups;
	struct sv groups[100]; /* [0] is the whole match */
};

struct rule_ops {
	const char *type;
	/*
	 * Compile the pattern at the start of *REST, leaving the result's text. RULE->matcher is
	 * NULL on entry; result-dependent checks are made by .check. 0, or -1 with a reason.
	 */
	MUST_USE int (*compile)(struct rule *r, struct sv *rest, struct err *e);
	/* The rule's result may be used with its matcher. 0 or -1. NULL: always. */
	int (*check)(const struct rule *r, unsigned flags, struct err *e);
	/* Does the pattern itself (negation aside) match? comparable false: neither it nor its
	   negation does. */
	bool (*match)(const struct rule *r, struct rule_hit *hit, bool *comparable);
	/* Append the result. */
	void (*result)(const struct rule *r, const struct rule_hit *hit, struct buf *out);
	void (*free_matcher)(void *matcher);
};

struct rules {
	const struct rule_ops *ops;
	struct rule *v;
	size_t n, room;
};

/* Parse TEXT (of FILE); FLAGS are those of map.h. 0, or -1: unreadable as a whole. */
MUST_USE int rules_parse(struct rules *r, const struct rule_ops *ops, struct sv text,
			 const char *file, unsigned flags, struct err *e);
void rules_free(struct rules *r);
/* 1 and the result appended, or 0. */
MUST_USE int rules_match(const struct rules *r, struct sv key, struct buf *out);

extern const struct rule_ops rule_regexp_ops, rule_cidr_ops;

#endif
