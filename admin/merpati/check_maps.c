#include <sys/stat.h>

#include "admin/merpati/check.h"
#include "lib/map/map.h"

/* Parameters whose values may name look-up tables; others have words with colons of other meaning.
 */
static bool may_name_tables(struct sv name)
{
	static const struct sv suffixes[] = { SV_INIT("_maps"), SV_INIT("_database"),
		SV_INIT("_restrictions"), SV_INIT("_checks"), SV_INIT("_domains"),
		SV_INIT("mynetworks"), SV_INIT("mydestination") };
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (sv_ends(name, suffixes[i]))
			return true;
	return false;
}

static bool is_table(struct sv word)
{
	struct sv rest = word;
	if (sv_starts(rest, SV("proxy:")))
		rest = sv_from(rest, 6);
	if (sv_chr(rest, ':') < 0)
		return false;
	struct sv type = sv_take_until(&rest, ':');
	for (size_t i = 0; map_type_name(i); i++)
		if (sv_eqz(type, map_type_name(i)))
			return true;
	return false;
}

/* A hash or btree file that is older than its source: somebody forgot postmap or newaliases. */
static void check_age(struct check *c, const char *name, const char *spec)
{
	char path[4096];
	struct stat source, built;
	const char *colon = strrchr(spec, ':');
	if (!strstr(spec, "hash:") && !strstr(spec, "btree:"))
		return;
	if (strstr(spec, "texthash:") || !colon ||
	        snprintf(path, sizeof path, "%s.db", colon + 1) >= (int)sizeof path)
		return;
	if (stat(colon + 1, &source) < 0 || stat(path, &built) < 0)
		return;
	if (source.st_mtime > built.st_mtime)
		check_finding(c, false, "%s: %s: %s is older than %s: run %s %s",
		        config_where(c->in->cfg, name), name, path, colon + 1,
		        strcmp(name, "alias_maps") == 0 ? "newaliases" : "postmap", spec);
}

static void check_word(struct check *c, const char *name, struct sv word)
{
	struct err e = ERR_INIT;
	if (!is_table(word))
		return;
	char *spec = mem_svdup(word);
	struct map *m = map_open(spec, 0);
	if (map_check(m, &e) < 0)
		check_finding(c, true, "%s: %s: %s", config_where(c->in->cfg, name), name, e.text);
	else
		check_age(c, name, spec);
	map_free(m);
	free(spec);
}

/* Words are separated by blanks and commas, but for what stands in braces. */
static void check_value(struct check *c, const char *name, struct sv value)
{
	size_t start = 0, depth = 0;
	for (size_t i = 0; i <= value.len; i++) {
		char ch = i < value.len ? value.p[i] : ' ';
		depth += ch == '{';
		depth -= ch == '}' && depth > 0;
		if (i < value.len && (depth > 0 || (ch != ',' && !ascii_is_blank(ch))))
			continue;
		check_word(c, name, sv_sub(value, start, i - start));
		start = i + 1;
	}
}

static void check_parameter(void *arg, const char *name, struct sv value, unsigned line)
{
	struct check *c = arg;
	struct err e = ERR_INIT;
	struct buf b;
	(void)value;
	(void)line;
	if (!may_name_tables(sv_z(name)))
		return;
	buf_init(&b, CONFIG_VALUE_MAX);
	if (config_eval(c->in->cfg, name, &b, &e) == 1)
		check_value(c, name, buf_sv(&b));
	buf_free(&b);
}

void check_maps(struct check *c)
{
	config_each(c->in->cfg, check_parameter, c);
}
