/*
 * The grammar: blank lines and lines that start with '#' are nothing; NAME = <<MARKER begins a template,
 * which a line that is MARKER alone ends; NAME = TEXT is a template of one line. A template is header
 * lines, perhaps an empty line, and text.
 */
#include "lib/config/bouncecf.h"

#include "lib/base/utf8.h"

struct parser {
	struct sv rest;
	unsigned line; /* the last one taken */
	struct bouncecf_template *t;
	bouncecf_complain_fn *complain;
	void *arg;
	unsigned complaints;
};

static void PRINTF_LIKE(3, 4) complain(struct parser *p, unsigned line, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->complaints++;
	p->complain(p->arg, line, text);
}

static bool kind_by_name(struct sv name, enum bouncecf_kind *out)
{
	char known[32];
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++) {
		snprintf(known, sizeof(known), "%s_template", bouncecf_name((enum bouncecf_kind)k));
		if (sv_eqz(name, known)) {
			*out = (enum bouncecf_kind)k;
			return true;
		}
	}
	return false;
}

/* RFC 2045 5.1: what may stand behind "charset=" without quotes. */
static bool is_token(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("()<>@,;:\\\"/[]?=", s.p[i]))
			return false;
	return s.len > 0 && s.len <= 60;
}

/* "Label: value" at the start of LINE. */
static bool split_header(struct sv line, struct sv *label, struct sv *value)
{
	ptrdiff_t colon = sv_chr(line, ':');
	if (colon <= 0)
		return false;
	*label = sv_upto(line, (size_t)colon);
	*value = sv_trim(sv_from(line, (size_t)colon + 1));
	while (label->len > 0 && ascii_is_blank(label->p[label->len - 1]))
		label->len--;
	for (size_t i = 0; i < label->len; i++)
		if (label->p[i] <= ' ' || label->p[i] > '~')
			return false;
	return label->len > 0;
}

static struct sv *header_field(struct bouncecf_template *n, struct sv label)
{
	return sv_ieqz(label, "Charset")              ? &n->charset
	       : sv_ieqz(label, "From")               ? &n->from
	       : sv_ieqz(label, "Subject")            ? &n->subject
	       : sv_ieqz(label, "Postmaster-Subject") ? &n->postmaster_subject
						      : NULL;
}

static bool take_header(struct parser *p, struct bouncecf_template *n, enum bouncecf_kind kind, unsigned line,
	struct sv label, struct sv value)
{
	struct sv *to = header_field(n, label);
	const char *name = bouncecf_name(kind);
	label = sv_upto(label, 100);
	if (!to)
		complain(p, line, "unknown header \"%.*s\" in %s template", SV_ARG(label), name);
	else if (to == &n->postmaster_subject && bouncecf_builtin(kind)->postmaster_subject.len == 0)
		complain(p, line, "header \"%.*s\" has no use in %s template", SV_ARG(label), name);
	else if (value.len == 0)
		complain(p, line, "empty header \"%.*s\" in %s template", SV_ARG(label), name);
	else if (value.len > BOUNCECF_LINE_MAX)
		complain(p, line, "header \"%.*s\" in %s template is longer than %d octets", SV_ARG(label), name,
			BOUNCECF_LINE_MAX);
	else if (!sv_is_print(value))
		complain(p, line, "non-ASCII or control octet in header \"%.*s\" of %s template", SV_ARG(label),
			name);
	else if (to == &n->charset && !is_token(value))
		complain(p, line, "\"%.*s\" in %s template is no name of a character set",
			SV_ARG(sv_upto(value, 100)), name);
	else {
		*to = value;
		return true;
	}
	return false;
}

static bool check_text(struct parser *p, const struct bouncecf_template *n, const char *name)
{
	struct sv rest = n->text, line;
	bool ascii = sv_ieqz(n->charset, "us-ascii"), utf8 = sv_ieqz(n->charset, "utf-8");
	for (unsigned at = n->line; sv_take_line(&rest, &line); at++) {
		const char *wrong = line.len > BOUNCECF_LINE_MAX ? "over-long line" : NULL;
		for (size_t i = 0; i < line.len && !wrong; i++)
			if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
				wrong = "control octet";
		if (!wrong && ascii && !utf8_is_ascii(line))
			wrong = "non-ASCII text, and no Charset but us-ascii,";
		if (!wrong && utf8 && !utf8_valid(line))
			wrong = "text that is not UTF-8";
		if (wrong) {
			complain(p, at, "%s in %s template", wrong, name);
			return false;
		}
	}
	if (sv_trim(n->text).len == 0) {
		complain(p, n->line, "no text in %s template", name);
		return false;
	}
	return true;
}

/* BODY begins at LINE. False: complained. */
static bool parse_template(struct parser *p, enum bouncecf_kind kind, struct sv body, unsigned line)
{
	struct bouncecf_template n = *bouncecf_builtin(kind);
	struct sv next, label, value;
	for (;;) {
		struct sv after = body;
		if (!sv_take_line(&after, &next))
			break;
		bool blank = sv_trim(next).len == 0;
		if (!blank && !split_header(next, &label, &value))
			break;
		body = after;
		line++;
		if (blank)
			break;
		if (!take_header(p, &n, kind, line - 1, label, value))
			return false;
	}
	n.text = body;
	n.line = line;
	if (!check_text(p, &n, bouncecf_name(kind)))
		return false;
	p->t[kind] = n;
	return true;
}

static bool next_line(struct parser *p, struct sv *line)
{
	if (p->rest.len == 0 || !sv_take_line(&p->rest, line))
		return false;
	p->line++;
	return true;
}

/* The lines up to MARKER. False: the file ends before. */
static bool take_body(struct parser *p, struct sv marker, struct sv *body)
{
	struct sv line, all = p->rest;
	while (next_line(p, &line)) {
		*body = sv_upto(all, (size_t)(line.p - all.p));
		if (sv_eq(line, marker))
			return true;
	}
	return false;
}

static void parse_one(struct parser *p, struct sv line)
{
	enum bouncecf_kind kind;
	unsigned start = p->line;
	bool assigned = sv_chr(line, '=') > 0;
	struct sv name = sv_trim(sv_take_until(&line, '='));
	struct sv body = sv_trim(line);
	if (!assigned) {
		complain(p, start, "\"NAME_template = <<EOF\" expected");
		return;
	}
	bool several = sv_starts(body, SV("<<"));
	if (several) {
		struct sv marker = sv_trim(sv_from(body, 2));
		if (marker.len == 0) {
			complain(p, start, "a word is missing after \"<<\"");
			return;
		}
		if (!take_body(p, marker, &body)) {
			complain(p, start, "no line \"%.*s\" ends the template that begins here",
				SV_ARG(sv_upto(marker, 100)));
			return;
		}
	}
	if (!kind_by_name(name, &kind))
		complain(p, start, "\"%.*s\" is none of failure_template, delay_template, success_template, "
			"verify_template", SV_ARG(sv_upto(name, 100)));
	else
		(void)parse_template(p, kind, body, several ? start + 1 : start);
}

unsigned bouncecf_parse(
	struct sv in, struct bouncecf_template t[BOUNCECF_KINDS], bouncecf_complain_fn *complain_fn, void *arg)
{
	struct parser p = { .rest = in, .t = t, .complain = complain_fn, .arg = arg };
	struct sv line;
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++)
		t[k] = *bouncecf_builtin((enum bouncecf_kind)k);
	while (next_line(&p, &line)) {
		struct sv s = sv_trim(line);
		if (s.len > 0 && s.p[0] != '#')
			parse_one(&p, line);
	}
	return p.complaints;
}
