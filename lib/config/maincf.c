#include "lib/config/maincf.h"

#include "lib/config/config.h"

void logical_lines_init(struct logical_lines *l, struct sv text)
{
	*l = (struct logical_lines){ .rest = text, .next_line = 1 };
}

/* Blank, or a comment: never part of a logical line, and never its end. */
static bool is_void(struct sv line)
{
	struct sv s = sv_trim_left(line);
	return s.len == 0 || s.p[0] == '#';
}

int logical_lines_next(struct logical_lines *l, struct buf *out, unsigned *first)
{
	bool open = false;
	buf_reset(out);
	for (;;) {
		struct sv after = l->rest, line;
		if (!sv_take_line(&after, &line))
			break;
		if (!is_void(line)) {
			if (open && !ascii_is_blank(line.p[0]))
				break; /* the next logical line starts here */
			if (!open)
				*first = l->next_line;
			open = true;
			if (buf_put_sv(out, line) < 0)
				return -1;
		}
		l->rest = after;
		l->next_line++;
	}
	return open ? 1 : 0;
}

int maincf_split(struct sv line, struct sv *name, struct sv *value)
{
	ptrdiff_t eq = sv_chr(line, '=');
	if (eq < 0)
		return -1;
	struct sv n = sv_trim(sv_upto(line, (size_t)eq));
	if (n.len == 0 || n.len > CONFIG_NAME_MAX)
		return -1;
	for (size_t i = 0; i < n.len; i++)
		if (ascii_is_blank(n.p[i]) || n.p[i] == '\0')
			return -1;
	*name = n;
	*value = sv_trim(sv_from(line, (size_t)eq + 1));
	return 0;
}

int maincf_parse(struct sv text, const char *file, maincf_fn *fn, void *arg, struct err *e)
{
	struct logical_lines lines;
	struct buf line;
	unsigned first = 0;
	int rc;
	logical_lines_init(&lines, text);
	buf_init(&line, CONFIG_VALUE_MAX);
	while ((rc = logical_lines_next(&lines, &line, &first)) == 1) {
		struct sv name, value, whole = buf_sv(&line);
		if (sv_chr(whole, '\0') >= 0)
			rc = err_set(e, ERR_CONFIG, "%s, line %u: a NUL octet", file, first);
		else if (ascii_is_blank(whole.p[0]))
			rc = fn(arg, SV_NONE, whole, first, e);
		else if (maincf_split(whole, &name, &value) < 0)
			rc = err_set(e, ERR_CONFIG, "%s, line %u: not \"name = value\": \"%.*s\"",
				     file, first, SV_ARG(sv_upto(whole, 100)));
		else
			rc = fn(arg, name, value, first, e);
		if (rc < 0)
			break;
	}
	if (rc < 0 && line.overflow)
		err_set(e, ERR_CONFIG, "%s, line %u: longer than %u octets", file, first,
			CONFIG_VALUE_MAX);
	buf_free(&line);
	return rc < 0 ? -1 : 0;
}
