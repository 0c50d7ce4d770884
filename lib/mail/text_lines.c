#include "lib/mail/text_lines.h"

#include "lib/mail/addr.h"

void text_lines_init(struct text_lines *t, struct sv text, const char *file)
{
	*t = (struct text_lines){ .rest = text, .file = file };
	buf_init(&t->joined, TEXT_LINE_MAX);
	buf_init(&t->key, TEXT_LINE_MAX);
}

void text_lines_free(struct text_lines *t)
{
	buf_free(&t->joined);
	buf_free(&t->key);
}

/* Blank, or a comment: skipped wherever it stands. */
static bool skipped(struct sv line)
{
	line = sv_trim_left(line);
	return line.len == 0 || line.p[0] == '#';
}

int text_lines_next(struct text_lines *t, struct sv *out, unsigned *line, struct err *e)
{
	struct sv physical = SV_NONE;
	bool any = false;
	buf_reset(&t->joined);
	for (;;) {
		struct sv before = t->rest;
		if (!sv_take_line(&t->rest, &physical))
			break;
		if (any && physical.len && !ascii_is_blank(physical.p[0]) && physical.p[0] != '#') {
			t->rest = before; /* the next logical line */
			break;
		}
		t->line++;
		if (skipped(physical))
			continue;
		if (!any)
			*line = t->line;
		any = true; /* a continuation brings its own blank */
		buf_put_sv(&t->joined, sv_trim_right(physical));
	}
	if (!any)
		return 0;
	if (t->joined.overflow)
		return err_set(e, ERR_CONFIG, "%s, line %u: line too long", t->file, *line);
	*out = buf_sv(&t->joined);
	if (sv_chr(*out, '\0') >= 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: NUL octet in line", t->file, *line);
	return 1;
}

/* Position of the ':' that ends an alias name: not inside quotes. */
static ptrdiff_t alias_colon(struct sv s)
{
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == ':' && !quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

static int alias_entry(struct text_lines *t, struct sv text, struct text_entry *out, struct err *e)
{
	ptrdiff_t colon = alias_colon(text);
	if (colon >= 0) {
		out->key = sv_trim(sv_upto(text, (size_t)colon));
		out->value = sv_trim(sv_from(text, (size_t)colon + 1));
	}
	if (colon < 0 || out->key.len == 0 || out->value.len == 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: need name:value pair", t->file, out->line);
	buf_reset(&t->key);
	if (addr_unquote(&t->key, out->key) < 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: name too long", t->file, out->line);
	out->key = buf_sv(&t->key);
	if (sv_chr(out->key, '@') >= 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: name must be local", t->file, out->line);
	return 1;
}

/* The end of a postmap key: the first blank outside double quotes. */
static size_t postmap_key_length(struct sv s)
{
	bool quoted = false;
	size_t i = 0;
	for (; i < s.len; i++) {
		if (s.p[i] == '\\' && quoted && i + 1 < s.len)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (ascii_is_blank(s.p[i]) && !quoted)
			return i;
	}
	/* no closing quote: it was an ordinary octet */
	for (i = 0; i < s.len && !ascii_is_blank(s.p[i]); i++)
		continue;
	return i;
}

static int postmap_entry(struct text_lines *t, struct sv text, struct text_entry *out,
	struct err *e)
{
	text = sv_trim(text);
	size_t n = postmap_key_length(text);
	out->key = sv_upto(text, n);
	out->value = sv_trim(sv_from(text, n));
	if (out->value.len == 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: expected format: key whitespace value",
			t->file, out->line);
	return 1;
}

int text_entry_next(struct text_lines *t, enum text_entry_kind kind, struct text_entry *out,
	struct err *e)
{
	struct sv text = SV_NONE;
	int rc = text_lines_next(t, &text, &out->line, e);
	if (rc != 1)
		return rc;
	return kind == TEXT_ALIASES ? alias_entry(t, text, out, e) : postmap_entry(t, text, out, e);
}
