#include "lib/config/config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/hash.h"
#include "lib/config/computed.h"
#include "lib/config/expand.h"
#include "lib/config/file.h"
#include "lib/config/maincf.h"
#include "lib/config/params.h"
#include "lib/config/paths.h"

#define MEMORY_MAX   (64u << 20)
#define ENTRIES_MAX  20000
#define WARNINGS_MAX 200
#define LINE_LEN_MAX 1000 /* octets of a value that stands in a file */

/* What main.cf or an override says about one name. */
struct entry {
	struct sv value;
	unsigned line; /* 0: an override */
};

/* What look-ups add to: behind a pointer, so that they can take a const configuration. */
struct pool {
	struct arena mem;
	struct htab interned; /* text -> the same text in mem */
	struct htab replaced; /* names whose foreign value was replaced, warned about */
	struct htab lines;    /* path -> first line of that file */
	const char *warnings[WARNINGS_MAX];
	size_t nwarnings;
};

struct config {
	struct pool *pool;
	struct htab entries; /* name -> struct entry */
	const char *dir;
	const char *file; /* of messages */
	bool show_foreign;
};

static const char *intern(const struct config *cfg, struct sv s)
{
	struct pool *p = cfg->pool;
	char *z = htab_get(&p->interned, s);
	if (z)
		return z;
	z = arena_strdup(&p->mem, s);
	if (z)
		htab_set(&p->interned, s, z);
	return z;
}

static void PRINTF_LIKE(2, 3) warn(const struct config *cfg, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	if (cfg->pool->nwarnings == WARNINGS_MAX)
		return;
	buf_init(&b, 4096);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	const char *z = intern(cfg, buf_sv(&b));
	if (z && b.len > 0)
		cfg->pool->warnings[cfg->pool->nwarnings++] = z;
	buf_free(&b);
}

static int set_entry(struct config *cfg, struct sv name, struct sv value, unsigned line,
		     struct err *e)
{
	struct pool *p = cfg->pool;
	struct entry *was = htab_get(&cfg->entries, name);
	if (was && was->line && line)
		warn(cfg, "%s, line %u: overriding earlier entry: %.*s=%.*s", cfg->file, line,
		     SV_ARG(name), SV_ARG(sv_upto(was->value, 500)));
	struct entry *n = was ? was : arena_alloc(&p->mem, sizeof(*n));
	struct sv copy = arena_sv(&p->mem, value);
	if (!n || !copy.p || (!was && cfg->entries.count >= ENTRIES_MAX))
		return err_set(e, ERR_CONFIG, "%s: too many parameters", cfg->file);
	*n = (struct entry){ .value = copy, .line = line };
	if (!was)
		htab_set(&cfg->entries, name, n);
	return 0;
}

static int main_cf_line(void *arg, struct sv name, struct sv value, unsigned line, struct err *e)
{
	struct config *cfg = arg;
	if (name.len == 0) {
		warn(cfg, "%s: logical line must not start with whitespace: \"%.*s\"", cfg->file,
		     SV_ARG(sv_upto(value, 100)));
		return 0;
	}
	return set_entry(cfg, name, value, line, e);
}

static struct config *new_config(const char *dir, const char *file)
{
	struct config *cfg = mem_alloc(sizeof(*cfg));
	struct hash_seed fixed = { 0x6d657270, 0x61746921 }; /* the keys are the admin's own */
	cfg->pool = mem_alloc(sizeof(*cfg->pool));
	arena_init(&cfg->pool->mem, MEMORY_MAX);
	htab_init(&cfg->pool->interned, fixed);
	htab_init(&cfg->pool->replaced, fixed);
	htab_init(&cfg->pool->lines, fixed);
	htab_init(&cfg->entries, fixed);
	cfg->dir = intern(cfg, sv_z(dir));
	cfg->file = intern(cfg, sv_z(file));
	return cfg;
}

struct config *config_open_text(const char *dir, const char *file, struct sv text, struct err *e)
{
	struct config *cfg = new_config(dir ? dir : config_dir_default(), file);
	if (maincf_parse(text, file, main_cf_line, cfg, e) < 0) {
		config_free(cfg);
		return NULL;
	}
	return cfg;
}

struct config *config_open_empty(const char *dir)
{
	return new_config(dir ? dir : config_dir_default(), "main.cf");
}

/* A program reads its parameters when its cage may have closed on it: files behind values are read before. What
 * is wrong with one is told when the parameter is used. */
static void read_lines(const struct config *cfg)
{
	struct err ignored = ERR_INIT;
	size_t n;
	const struct param_row *rows = params_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].type == PARAM_LINE)
			(void)config_line_str(cfg, rows[i].name, &ignored);
}

struct config *config_open(const char *dir, struct err *e)
{
	if (!dir)
		dir = config_dir_default();
	struct buf path, text;
	buf_init(&path, 4096);
	buf_init(&text, CONFIG_FILE_MAX);
	struct config *cfg = NULL;
	if (buf_printf(&path, "%s/main.cf", dir) < 0)
		err_set(e, ERR_CONFIG, "a configuration directory's name is too long");
	else if (file_read(buf_z(&path), &text, e) == 0)
		cfg = config_open_text(dir, buf_z(&path), buf_sv(&text), e);
	if (cfg)
		read_lines(cfg);
	buf_free(&path);
	buf_free(&text);
	return cfg;
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	htab_free(&cfg->entries);
	htab_free(&cfg->pool->interned);
	htab_free(&cfg->pool->replaced);
	htab_free(&cfg->pool->lines);
	arena_free(&cfg->pool->mem);
	free(cfg->pool);
	free(cfg);
}

const char *config_dir(const struct config *cfg)
{
	return cfg->dir;
}

const char *config_warning(const struct config *cfg, size_t i)
{
	return i < cfg->pool->nwarnings ? cfg->pool->warnings[i] : NULL;
}

void config_show_foreign(struct config *cfg, bool show)
{
	cfg->show_foreign = show;
}

int config_override(struct config *cfg, const char *name, const char *value, struct err *e)
{
	return set_entry(cfg, sv_z(name), sv_trim(sv_z(value)), 0, e);
}

int config_override_arg(struct config *cfg, const char *arg, struct err *e)
{
	struct sv name, value;
	if (maincf_split(sv_z(arg), &name, &value) < 0)
		return err_set(e, ERR_CONFIG, "-o %.200s: not name=value", arg);
	return set_entry(cfg, name, value, 0, e);
}

int config_service(struct config *cfg, const char *service_name, struct err *e)
{
	return config_override(cfg, "service_name", service_name, e);
}

unsigned config_line(const struct config *cfg, const char *name)
{
	const struct entry *n = htab_get(&cfg->entries, sv_z(name));
	return n ? n->line : 0;
}

const char *config_where(const struct config *cfg, const char *name)
{
	const struct entry *n = htab_get(&cfg->entries, sv_z(name));
	char text[4096 + 32];
	if (!n)
		return "built-in default";
	if (n->line == 0)
		return "-o option";
	snprintf(text, sizeof(text), "%s, line %u", cfg->file, n->line);
	const char *z = intern(cfg, sv_z(text));
	return z ? z : cfg->file;
}

int config_get_set(const struct config *cfg, const char *name, struct sv *out)
{
	const struct entry *n = htab_get(&cfg->entries, sv_z(name));
	if (!n)
		return 0;
	*out = n->value;
	return 1;
}

/* The default of ROW, with "@kind" computed. 1, or -1. */
static int default_of(const struct config *cfg, const struct param_row *row, struct sv *out,
		      struct err *e)
{
	*out = sv_z(row->def);
	if (row->def[0] != '@')
		return 1;
	struct buf b;
	buf_init(&b, CONFIG_VALUE_MAX);
	int rc = computed_default(cfg, row->def + 1, &b, e);
	const char *z = rc < 0 ? NULL : intern(cfg, buf_sv(&b));
	buf_free(&b);
	if (!z)
		return rc < 0 ? -1 : err_set(e, ERR_CONFIG, "the configuration is too large");
	*out = sv_z(z);
	return 1;
}

/* A value that is another installation's gives way to ours, once with a warning. */
static void replace_foreign(const struct config *cfg, const char *name, struct sv *value)
{
	const struct param_row *row;
	struct sv ours;
	if (cfg->show_foreign || !paths_is_foreign(name, *value))
		return;
	row = params_find(sv_z(name));
	if (!row || default_of(cfg, row, &ours, NULL) < 0)
		return;
	if (!htab_get(&cfg->pool->replaced, sv_z(name)) && !sv_eq(ours, *value)) {
		warn(cfg, "%s: %s = %.*s is a Postfix installation's; using %.*s",
		     config_where(cfg, name), name, SV_ARG(*value), SV_ARG(ours));
		htab_set(&cfg->pool->replaced, sv_z(name), cfg->pool);
	}
	*value = ours;
}

/* 1, 0 or -1 as expand_lookup_fn. */
static int value_of(const struct config *cfg, struct sv name, struct sv *out, struct err *e)
{
	const struct entry *n = htab_get(&cfg->entries, name);
	if (n) {
		char z[64]; /* long names are nobody's directory */
		*out = n->value;
		if (sv_copyz(name, z, sizeof(z)) == 0)
			replace_foreign(cfg, z, out);
		return 1;
	}
	if (sv_eqz(name, "config_directory")) {
		*out = sv_z(cfg->dir);
		return 1;
	}
	const struct param_row *row = params_find(name);
	if (!row)
		row = params_find_transport(name);
	return row ? default_of(cfg, row, out, e) : 0;
}

static int lookup_fn(void *arg, struct sv name, struct sv *out, struct err *e)
{
	return value_of(arg, name, out, e);
}

int config_get(const struct config *cfg, const char *name, struct sv *out)
{
	return value_of(cfg, sv_z(name), out, NULL) == 1;
}

const char *config_raw_str(const struct config *cfg, const char *name)
{
	struct sv raw;
	return config_get(cfg, name, &raw) ? intern(cfg, raw) : NULL;
}

int config_expand(const struct config *cfg, struct sv text, struct buf *out, struct err *e)
{
	struct expand x = { .lookup = lookup_fn, .arg = (void *)(uintptr_t)cfg,
			    .flags = EXPAND_RECURSE };
	return expand_text(&x, text, out, e);
}

int config_eval(const struct config *cfg, const char *name, struct buf *out, struct err *e)
{
	struct sv raw = SV_NONE;
	int rc = value_of(cfg, sv_z(name), &raw, e);
	if (rc <= 0)
		return rc;
	if (config_expand(cfg, raw, out, e) < 0) {
		err_prefix(e, "%s", name);
		return err_prefix(e, "%s", config_where(cfg, name));
	}
	return 1;
}

const char *config_str(const struct config *cfg, const char *name, struct err *e)
{
	struct buf b;
	buf_init(&b, CONFIG_VALUE_MAX);
	const char *z = NULL;
	int rc = config_eval(cfg, name, &b, e);
	if (rc == 0)
		err_set(e, ERR_CONFIG, "%s: no such parameter", name);
	else if (rc == 1 && !(z = intern(cfg, buf_sv(&b))))
		err_set(e, ERR_CONFIG, "%s: the configuration is too large", name);
	buf_free(&b);
	return z;
}

static const char *first_line(const struct config *cfg, const char *path, struct err *e)
{
	const char *z = htab_get(&cfg->pool->lines, sv_z(path));
	struct buf b;
	if (z)
		return z;
	buf_init(&b, CONFIG_FILE_MAX);
	if (file_read(path, &b, e) == 0) {
		struct sv text = buf_sv(&b);
		ptrdiff_t end = sv_chr(text, '\n');
		struct sv line = sv_trim(end < 0 ? text : sv_upto(text, (size_t)end));
		if (sv_empty(line) || line.len > LINE_LEN_MAX || sv_chr(line, '\0') >= 0)
			err_set(e, ERR_CONFIG, "the first line of %s must hold the value", path);
		else if (!(z = intern(cfg, line)))
			err_set(e, ERR_CONFIG, "the configuration is too large");
		else
			htab_set(&cfg->pool->lines, sv_z(path), (void *)(uintptr_t)z);
	}
	buf_free(&b);
	return z;
}

const char *config_line_str(const struct config *cfg, const char *name, struct err *e)
{
	const char *text = config_str(cfg, name, e);
	if (!text || text[0] != '/')
		return text;
	const char *line = first_line(cfg, text, e);
	if (!line)
		err_prefix(e, "%s: %s = %s", config_where(cfg, name), name, text);
	return line;
}

struct each {
	const char *name;
	const struct entry *entry;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct each *)a)->name, ((const struct each *)b)->name);
}

void config_each(const struct config *cfg, config_each_fn *fn, void *arg)
{
	size_t n = 0;
	struct each *all = mem_array(cfg->entries.count + 1, sizeof(*all));
	HTAB_FOREACH(&cfg->entries, entry)
		all[n++] = (struct each){ .name = entry->key, .entry = entry->value };
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++)
		fn(arg, all[i].name, all[i].entry->value, all[i].entry->line);
	free(all);
}
