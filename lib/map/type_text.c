/* lib/map/type_text.c - tables held in memory: texthash:, inline:, static:, fail:. */
#include "lib/base/hash.h"
#include "lib/config/maincf.h"
#include "lib/map/split.h"
#include "lib/map/table.h"
#include "lib/mail/text_lines.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"

struct text_table {
	struct htab entries; /* key -> value, NUL-terminated */
	struct arena mem;
};

static struct text_table *new_table(struct map *m)
{
	struct text_table *t = mem_alloc(sizeof(*t));
	htab_init(&t->entries, (struct hash_seed){ rand_u64(), rand_u64() });
	arena_init(&t->mem, MAP_FILE_MAX);
	m->impl = t;
	return t;
}

static void close_text(struct map *m)
{
	struct text_table *t = m->impl;
	htab_free(&t->entries);
	arena_free(&t->mem);
	free(t);
}

/* A value without the line ends of its continuations. */
static char *joined(struct arena *a, struct sv value)
{
	char *z = arena_strdup(a, value), *to = z;
	for (const char *c = z; c && *c; c++)
		if (*c != '\n')
			*to++ = *c;
	if (to)
		*to = '\0';
	return z;
}

/* The first of several entries with one key counts. 1 added, 0 was there, -1. */
static int add(struct map *m, struct sv key, struct sv value, struct err *e)
{
	struct text_table *t = m->impl;
	char folded[MAP_KEY_MAX];
	if (key.len > sizeof(folded))
		return err_set(e, ERR_CONFIG, "a key is longer than %d octets", MAP_KEY_MAX);
	for (size_t i = 0; i < key.len; i++)
		folded[i] = m->flags & MAP_NO_FOLD ? key.p[i] : ascii_lower(key.p[i]);
	key.p = folded;
	if (htab_get(&t->entries, key))
		return 0;
	char *z = joined(&t->mem, value);
	if (!z)
		return err_set(e, ERR_CONFIG, "larger than %u octets", MAP_FILE_MAX);
	htab_set(&t->entries, key, z);
	return 1;
}

static int open_texthash(struct map *m, struct err *e)
{
	struct text_lines lines;
	struct text_entry entry;
	struct buf text;
	int rc;
	new_table(m);
	buf_init(&text, MAP_FILE_MAX);
	if (table_source(m, &text, e) < 0) {
		buf_free(&text);
		return -1;
	}
	text_lines_init(&lines, buf_sv(&text), m->path ? m->path : m->spec);
	struct err bad = ERR_INIT;
	while ((rc = text_entry_next(&lines, TEXT_POSTMAP, &entry, &bad)) != 0) {
		if (rc < 0) {
			log_warn("%s", bad.text);
			continue;
		}
		rc = add(m, entry.key, entry.value, e);
		if (rc < 0)
			break;
		if (rc == 0)
			log_warn("%s, line %u: duplicate entry: \"%.*s\"", m->path, entry.line,
				 SV_ARG(entry.key));
	}
	text_lines_free(&lines);
	buf_free(&text);
	return rc;
}

static int open_inline(struct map *m, struct err *e)
{
	struct split list;
	struct sv item, key, value;
	int rc;
	new_table(m);
	split_init(&list, sv_z(m->name));
	if (split_braced(&list, e) < 0)
		return -1;
	while ((rc = split_next(&list, &item, e)) == 1) {
		if (maincf_split(split_unbrace(item), &key, &value) < 0)
			return err_set(e, ERR_CONFIG, "not key=value: \"%.*s\"", SV_ARG(item));
		if (add(m, key, value, e) < 0)
			return -1;
	}
	return rc;
}

static int lookup_text(struct map *m, struct sv key, struct buf *value, UNUSED struct err *e)
{
	struct text_table *t = m->impl;
	const char *z = htab_get(&t->entries, key);
	if (!z)
		return 0;
	buf_puts(value, z);
	return 1;
}

static int each_text(struct map *m, map_each_fn *fn, void *arg, UNUSED struct err *e)
{
	struct text_table *t = m->impl;
	HTAB_FOREACH(&t->entries, entry) {
		int stop = fn(arg, sv_n(entry->key, entry->key_len), sv_z(entry->value));
		if (stop != 0)
			return stop;
	}
	return 0;
}

static int open_static(struct map *m, UNUSED struct err *e)
{
	struct sv text = split_unbrace(sv_z(m->name));
	m->impl = mem_svdup(text);
	return 0;
}

static int lookup_static(struct map *m, UNUSED struct sv key, struct buf *value,
			 UNUSED struct err *e)
{
	buf_puts(value, m->impl);
	return 1;
}

static void close_static(struct map *m)
{
	free(m->impl);
}

static int open_fail(struct map *m, UNUSED struct err *e)
{
	m->impl = mem_strdup("");
	return 0;
}

static int lookup_fail(UNUSED struct map *m, UNUSED struct sv key, UNUSED struct buf *value,
		       struct err *e)
{
	return err_set(e, ERR_TEMP, "a look-up that always fails");
}

const struct map_ops map_texthash_ops = {
	.type = "texthash", .suffix = "", .open = open_texthash, .lookup = lookup_text,
	.close = close_text, .each = each_text,
};

const struct map_ops map_inline_ops = {
	.type = "inline", .pure = true, .open = open_inline, .lookup = lookup_text,
	.close = close_text, .each = each_text,
};

const struct map_ops map_static_ops = {
	.type = "static", .pure = true, .open = open_static, .lookup = lookup_static,
	.close = close_static,
};

const struct map_ops map_fail_ops = {
	.type = "fail", .pure = true, .open = open_fail, .lookup = lookup_fail,
	.close = close_static,
};
