#include "lib/config/expand.h"

#include "lib/base/num.h"

struct run {
	const struct expand *x;
	struct err *e;
	unsigned depth;
};

static int expand_in(struct run *r, struct sv text, struct buf *out);

static int fail(struct run *r, const char *what, struct sv text)
{
	return err_set(r->e, ERR_CONFIG, "%s in \"%.*s\"", what, SV_ARG(sv_upto(text, 200)));
}

static int emit(struct run *r, struct buf *out, struct sv s)
{
	if (r->x->flags & EXPAND_SCAN)
		return 0;
	if (buf_put_sv(out, s) < 0)
		return err_set(r->e, ERR_CONFIG, "an expansion is longer than %zu octets",
			       out->max);
	return 0;
}

/* The text between the opening octet at S.p[0] and its balanced CLOSE; *used counts both ends. */
static int balanced(struct run *r, struct sv s, char open, char close, struct sv *inner,
		    size_t *used)
{
	unsigned level = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == open) {
			level++;
		} else if (s.p[i] == close && --level == 0) {
			*inner = sv_sub(s, 1, i - 1);
			*used = i + 1;
			return 0;
		}
	}
	return fail(r, "a bracket without its end", s);
}

static bool name_char(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static size_t name_span(struct sv s)
{
	size_t n = 0;
	while (n < s.len && name_char(s.p[n]))
		n++;
	return n;
}

static void emit_filtered(const char *filter, struct buf *tmp)
{
	for (size_t i = 0; filter && i < tmp->len; i++)
		if (tmp->p[i] == '\0' || !strchr(filter, tmp->p[i]))
			tmp->p[i] = '_';
}

/* The value of NAME, expanded too when the caller wants that. 1, 0 unknown, -1. */
static int value_of(struct run *r, struct sv name, struct buf *out)
{
	struct sv raw = SV_NONE;
	int rc = r->x->lookup(r->x->arg, name, &raw, r->e);
	if (rc <= 0 || (r->x->flags & EXPAND_SCAN))
		return rc;
	if (!(r->x->flags & EXPAND_RECURSE)) {
		size_t start = out->len;
		if (emit(r, out, raw) < 0)
			return -1;
		struct buf part = { .p = out->p ? out->p + start : NULL, .len = out->len - start };
		emit_filtered(r->x->filter, &part);
		return 1;
	}
	return expand_in(r, raw, out) < 0 ? -1 : 1;
}

/* A braced or plain branch: "{text}" gives the text inside, anything else is the text itself. */
static int payload(struct run *r, struct sv *rest, struct sv *out)
{
	struct sv s = sv_trim_left(*rest);
	if (s.len == 0 || s.p[0] != '{') {
		*out = *rest;
		*rest = SV_NONE;
		return 0;
	}
	size_t used = 0;
	if (balanced(r, s, '{', '}', out, &used) < 0)
		return -1;
	*rest = sv_from(s, used);
	return 1;
}

/* What follows a condition: "?t", "?{t}", "?{t}:{t}", ":t", ":{t}". */
static int branches(struct run *r, struct sv rest, bool yes, struct buf *out)
{
	struct sv if_true = SV_NONE, if_false = SV_NONE;
	struct sv all = rest;
	char kind = rest.p[0];
	rest = sv_from(rest, 1);
	int rc = payload(r, &rest, kind == '?' ? &if_true : &if_false);
	if (rc < 0)
		return -1;
	rest = sv_trim_left(rest);
	if (rc == 1 && kind == '?' && rest.len > 0) {
		if (rest.p[0] != ':')
			return fail(r, "\":\" expected after \"}\"", all);
		rest = sv_from(rest, 1);
		if (payload(r, &rest, &if_false) < 0)
			return -1;
		rest = sv_trim_left(rest);
	}
	if (rest.len > 0)
		return fail(r, "unexpected text after \"}\"", all);
	bool scan = (r->x->flags & EXPAND_SCAN) != 0;
	if ((yes || scan) && expand_in(r, if_true, out) < 0)
		return -1;
	if ((!yes || scan) && expand_in(r, if_false, out) < 0)
		return -1;
	return 0;
}

/* "3.6" as one number: major * 1000000 + minor * 1000 + patch. */
static int level_number(struct run *r, struct sv text, uint64_t *out)
{
	static const uint64_t weight[] = { 1000000, 1000, 1 };
	struct sv rest = text;
	*out = 0;
	for (size_t i = 0; i < ARRAY_LEN(weight); i++) {
		uint32_t v;
		bool last = sv_chr(rest, '.') < 0;
		if (num_u32(sv_take_until(&rest, '.'), &v) < 0 || v > 999)
			break;
		*out += v * weight[i];
		if (last)
			return 0;
	}
	return fail(r, "not a compatibility level", text);
}

static int compare(struct run *r, struct sv a, struct sv b, bool level, int *out)
{
	uint64_t x, y;
	if (level) {
		if (level_number(r, a, &x) < 0 || level_number(r, b, &y) < 0)
			return -1;
	} else if (num_u64(a, &x) < 0 || num_u64(b, &y) < 0) {
		*out = sv_cmp(a, b);
		return 0;
	}
	*out = x < y ? -1 : x > y;
	return 0;
}

static const struct {
	struct sv text;
	bool lt, eq, gt; /* results that make it true */
} operators[] = {
	{ SV_INIT("=="), false, true, false }, { SV_INIT("!="), true, false, true },
	{ SV_INIT("<="), true, true, false },  { SV_INIT(">="), false, true, true },
	{ SV_INIT("<"), true, false, false },  { SV_INIT(">"), false, false, true },
};

/* Evaluate both operands and compare them by the operator at the start of *REST. */
static int relation(struct run *r, struct sv left, struct sv *rest, bool *yes)
{
	struct sv all = *rest, right;
	size_t op = 0, used = 0;
	while (op < ARRAY_LEN(operators) && !sv_starts(*rest, operators[op].text))
		op++;
	if (op == ARRAY_LEN(operators))
		return fail(r, "a comparison expected", all);
	*rest = sv_from(*rest, operators[op].text.len);
	bool level = sv_starts(*rest, SV("level"));
	if (level)
		*rest = sv_from(*rest, 5);
	*rest = sv_trim_left(*rest);
	if (rest->len == 0 || rest->p[0] != '{')
		return fail(r, "\"{\" expected after the comparison", all);
	if (balanced(r, *rest, '{', '}', &right, &used) < 0)
		return -1;
	*rest = sv_trim_left(sv_from(*rest, used));
	struct buf a, b;
	buf_init(&a, 65536);
	buf_init(&b, 65536);
	int cmp = 0;
	int rc = expand_in(r, left, &a);
	if (rc == 0)
		rc = expand_in(r, right, &b);
	if (rc == 0 && !(r->x->flags & EXPAND_SCAN))
		rc = compare(r, buf_sv(&a), buf_sv(&b), level, &cmp);
	*yes = cmp < 0 ? operators[op].lt : cmp > 0 ? operators[op].gt : operators[op].eq;
	buf_free(&a);
	buf_free(&b);
	return rc;
}

/* ${{a} == {b} ? {x} : {y}}; INNER starts with '{'. */
static int conditional(struct run *r, struct sv inner, struct buf *out)
{
	struct sv left, rest;
	size_t used = 0;
	bool yes = false;
	if (balanced(r, inner, '{', '}', &left, &used) < 0)
		return -1;
	rest = sv_trim_left(sv_from(inner, used));
	if (relation(r, left, &rest, &yes) < 0)
		return -1;
	if (rest.len == 0 || (rest.p[0] != '?' && rest.p[0] != ':'))
		return fail(r, "\"?\" or \":\" expected after the comparison", inner);
	return branches(r, rest, yes, out);
}

/* ${name}, ${name?text} and so on, without the outer brackets; WHOLE is with them. */
static int bracketed(struct run *r, struct sv inner, struct sv whole, struct buf *out)
{
	inner = sv_trim_left(inner);
	if (inner.len > 0 && inner.p[0] == '{')
		return conditional(r, inner, out);
	size_t n = name_span(inner);
	struct sv name = sv_upto(inner, n);
	struct sv rest = sv_trim_left(sv_from(inner, n));
	if (n == 0 && rest.len == 0)
		return fail(r, "an empty name", whole);
	if (n == 0 || (rest.len > 0 && rest.p[0] != '?' && rest.p[0] != ':'))
		return fail(r, "a wrong name", whole);
	if (rest.len == 0) {
		int rc = value_of(r, name, out);
		if (rc == 0 && (r->x->flags & EXPAND_KEEP))
			return emit(r, out, whole);
		return rc < 0 ? -1 : 0;
	}
	struct buf value;
	buf_init(&value, out->max);
	int rc = value_of(r, name, &value);
	bool set = rc == 1 && value.len > 0;
	buf_free(&value);
	return rc < 0 ? -1 : branches(r, rest, set, out);
}

/* One reference; REST starts with '$'. *used counts its octets. */
static int reference(struct run *r, struct sv rest, struct buf *out, size_t *used)
{
	char open = rest.len > 1 ? rest.p[1] : '\0';
	if (open == '$') {
		*used = 2;
		return emit(r, out, SV("$"));
	}
	if (open == '{' || open == '(') {
		struct sv inner;
		if (balanced(r, sv_from(rest, 1), open, open == '{' ? '}' : ')', &inner, used) < 0)
			return -1;
		*used += 1;
		return bracketed(r, inner, sv_upto(rest, *used), out);
	}
	size_t n = name_span(sv_from(rest, 1));
	if (n == 0)
		return fail(r, "an empty name after \"$\"", rest);
	*used = n + 1;
	int rc = value_of(r, sv_sub(rest, 1, n), out);
	if (rc == 0 && (r->x->flags & EXPAND_KEEP))
		return emit(r, out, sv_upto(rest, *used));
	return rc < 0 ? -1 : 0;
}

static int expand_in(struct run *r, struct sv text, struct buf *out)
{
	if (r->depth >= EXPAND_DEPTH)
		return fail(r, "too many levels of $name (does a value name itself?)", text);
	r->depth++;
	int rc = 0;
	while (rc == 0 && text.len > 0) {
		ptrdiff_t at = sv_chr(text, '$');
		size_t plain = at < 0 ? text.len : (size_t)at, used = 0;
		rc = emit(r, out, sv_upto(text, plain));
		text = sv_from(text, plain);
		if (rc == 0 && text.len > 0)
			rc = reference(r, text, out, &used);
		text = sv_from(text, used);
	}
	r->depth--;
	return rc;
}

int expand_text(const struct expand *x, struct sv text, struct buf *out, struct err *e)
{
	struct run r = { .x = x, .e = e };
	return expand_in(&r, text, out);
}
