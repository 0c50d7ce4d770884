/* lib/map/type_rules.c - regexp: and cidr: tables. */
#include "lib/map/rules.h"
#include "lib/map/table.h"

static int open_rules(struct map *m, const struct rule_ops *ops, struct err *e)
{
	struct rules *r = mem_alloc(sizeof(*r));
	struct buf text;
	buf_init(&text, MAP_FILE_MAX);
	r->ops = ops;
	m->impl = r;
	int rc = table_source(m, &text, e);
	if (rc == 0)
		rc = rules_parse(r, ops, buf_sv(&text), m->path ? m->path : m->name, m->flags, e);
	buf_free(&text);
	return rc;
}

static int open_regexp(struct map *m, struct err *e)
{
	return open_rules(m, &rule_regexp_ops, e);
}

static int open_cidr(struct map *m, struct err *e)
{
	return open_rules(m, &rule_cidr_ops, e);
}

static int lookup_rules(struct map *m, struct sv key, struct buf *value, UNUSED struct err *e)
{
	return rules_match(m->impl, key, value);
}

static void close_rules(struct map *m)
{
	rules_free(m->impl);
	free(m->impl);
}

const struct map_ops map_regexp_ops = {
	.type = "regexp", .suffix = "", .pattern = true, .pure = true, .open = open_regexp,
	.lookup = lookup_rules, .close = close_rules,
};

const struct map_ops map_cidr_ops = {
	.type = "cidr", .suffix = "", .pattern = true, .pure = true, .open = open_cidr,
	.lookup = lookup_rules, .close = close_rules,
};
