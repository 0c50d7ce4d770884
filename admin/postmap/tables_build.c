/* admin/postmap/tables_build.c - from a source's lines to an indexed table. */
#include <unistd.h>

#include "admin/postmap/tables.h"
#include "lib/base/base64.h"
#include "lib/config/file.h"
#include "lib/mail/alias_grammar.h"
#include "lib/mail/text_lines.h"

static void read_stdin(struct tables *t, struct buf *out)
{
	char chunk[16384];
	size_t n;
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		if (buf_put(out, chunk, n) < 0)
			tables_fatal(t, "standard input is longer than %u octets", MAP_FILE_MAX);
	if (ferror(stdin))
		tables_fatal(t, "read standard input: %m");
}

/* A file's content, on a line of its own behind what is there; it may be a private key. */
static int add_file(struct sv name, struct buf *out, struct err *e)
{
	struct buf content;
	char path[4096];
	if (sv_copyz(name, path, sizeof(path)) < 0)
		return err_set(e, ERR_CONFIG, "the file name is too long");
	buf_init(&content, MAP_VALUE_MAX);
	int rc = file_read(path, &content, e);
	if (rc == 0 && out->len && out->p[out->len - 1] != '\n')
		buf_putc(out, '\n');
	if (rc == 0 && buf_put_sv(out, buf_sv(&content)) < 0)
		rc = err_set(e, ERR_CONFIG, "%s: too large", path);
	if (content.p)
		explicit_bzero(content.p, content.cap);
	buf_free(&content);
	return rc;
}

/* -F: the value names files (blanks or commas between them), whose contents are stored together, in base64. */
static int file_value(struct sv names, struct buf *out, struct err *e)
{
	struct buf all;
	struct sv word;
	int rc = 0;
	buf_init(&all, MAP_VALUE_MAX / 4 * 3 - 3);
	while (rc == 0 && (word = sv_take_word(&names)).len)
		while (rc == 0 && word.len) {
			struct sv name = sv_take_until(&word, ',');
			if (name.len)
				rc = add_file(name, &all, e);
		}
	if (rc == 0 && base64_encode(out, buf_sv(&all)) < 0)
		rc = err_set(e, ERR_CONFIG, "the files are too large");
	if (all.p)
		explicit_bzero(all.p, all.cap);
	buf_free(&all);
	return rc;
}

static int make_value(const struct tables *t, struct sv value, struct buf *out, struct err *e)
{
	buf_reset(out);
	if (t->values_are_files)
		return file_value(value, out, e);
	if (t->aliases)
		return alias_store_form(out, value) < 0 ? err_set(e, ERR_CONFIG, "value too long")
							: 0;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '\n')
			buf_putc(out, value.p[i]);
	return out->overflow ? err_set(e, ERR_CONFIG, "value too long") : 0;
}

static void put(struct tables *t, struct mapfile *f, struct sv key, struct sv value,
		enum mapfile_dup dup)
{
	struct err e = ERR_INIT;
	int rc = mapfile_put(f, key, value, dup, &e);
	if (rc < 0) {
		mapfile_abort(f);
		tables_fatal(t, "%s", e.text);
	}
	if (rc == 0 && dup == MAPFILE_DUP_WARN)
		tables_warn(t, "%s: duplicate entry: \"%.*s\"", mapfile_path(f), SV_ARG(key));
}

static struct sv folded(struct sv key, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < key.len; i++)
		buf_putc(out, ascii_lower(key.p[i]));
	return buf_sv(out);
}

static void put_lines(struct tables *t, struct mapfile *f, struct sv text, const char *file)
{
	struct text_lines lines;
	struct text_entry entry;
	struct buf value, key;
	struct err e = ERR_INIT;
	int rc;
	buf_init(&value, MAP_VALUE_MAX);
	buf_init(&key, MAP_VALUE_MAX);
	text_lines_init(&lines, text, file);
	while ((rc = text_entry_next(&lines, t->aliases ? TEXT_ALIASES : TEXT_POSTMAP, &entry,
				     &e)) != 0) {
		if (rc < 0) {
			tables_warn(t, "%s", e.text);
			continue;
		}
		if (make_value(t, entry.value, &value, &e) < 0) {
			tables_warn(t, "%s, line %u: %s", file, entry.line, e.text);
			continue;
		}
		struct sv k = t->opt.no_fold ? entry.key : folded(entry.key, &key);
		put(t, f, k, buf_sv(&value), t->dup);
	}
	text_lines_free(&lines);
	buf_free(&value);
	buf_free(&key);
}

/* Records that NIS and old sendmails look for; "@" says that the table is complete. */
static void put_alias_records(struct tables *t, struct mapfile *f)
{
	char now[32];
	struct err e = ERR_INIT;
	const char *host = config_str(t->cfg, "myhostname", &e);
	if (!host)
		tables_fatal(t, "%s", e.text);
	bool no_fold = t->opt.no_fold;
	snprintf(now, sizeof(now), "%010lld", (long long)time(NULL));
	put(t, f, SV("@"), SV("@"), MAPFILE_DUP_REPLACE);
	mapfile_exact_keys(f, true);
	put(t, f, SV("YP_LAST_MODIFIED"), sv_z(now), MAPFILE_DUP_REPLACE);
	put(t, f, SV("YP_MASTER_NAME"), sv_z(host), MAPFILE_DUP_REPLACE);
	mapfile_exact_keys(f, no_fold);
}

void tables_build(struct tables *t, const char *spec)
{
	struct err e = ERR_INIT;
	struct mapfile *f;
	struct buf text;
	const char *colon = strchr(spec, ':');
	t->opt.keep_old = t->opt.no_source = t->add;
	buf_init(&text, MAP_FILE_MAX);
	if (mapfile_begin(spec, &t->opt, &f, &e) < 0)
		tables_fatal(t, "%s", e.text);
	if (t->add) {
		read_stdin(t, &text);
	} else if (file_read(colon ? colon + 1 : spec, &text, &e) < 0) {
		mapfile_abort(f);
		tables_fatal(t, "%s", e.text);
	}
	put_lines(t, f, buf_sv(&text), t->add ? "stdin" : colon + 1);
	if (t->aliases)
		put_alias_records(t, f);
	if (mapfile_commit(f, &e) < 0)
		tables_fatal(t, "%s", e.text);
	buf_free(&text);
}
