/* Values with parameters of lib/mail/mime.h: Content-Type, Content-Disposition. */
#include "lib/base/num.h"
#include "lib/mail/mime.h"

/* Blanks and comments; depth is a counter, not recursion. */
static void skip_cfws(struct sv *s)
{
	unsigned depth = 0;
	size_t i = 0;
	for (; i < s->len; i++) {
		char c = s->p[i];
		if (c == '\\' && depth)
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (!depth && !ascii_is_blank(c))
			break;
	}
	*s = sv_from(*s, i);
}

/* RFC 2045 5.1 token; 8-bit octets are tolerated. */
static struct sv take_token(struct sv *s)
{
	size_t i = 0;
	while (i < s->len && (unsigned char)s->p[i] > ' ' && s->p[i] != 0x7f &&
		!strchr("()<>@,;:\\\"/[]?=", s->p[i]))
		i++;
	struct sv token = sv_upto(*s, i);
	*s = sv_from(*s, i);
	return token;
}

/* A value that is no token but was not quoted either ("name=a b.txt", "boundary=a/b:c"): up to
 * ';' or a line end. */
static struct sv take_loose(struct sv *s)
{
	size_t i = 0;
	while (i < s->len && s->p[i] != ';' && s->p[i] != '\n' && s->p[i] != '\r')
		i++;
	struct sv v = sv_trim_right(sv_upto(*s, i));
	*s = sv_from(*s, i);
	return v;
}

static int take_quoted(struct sv *s, struct arena *a, struct sv *out)
{
	size_t i = 1;
	while (i < s->len && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	if (i > s->len)
		i = s->len;
	struct sv raw = sv_sub(*s, 1, i - 1);
	*s = sv_from(*s, i + 1);
	char *o = arena_alloc(a, raw.len + 1);
	size_t n = 0;
	if (!o)
		return -1;
	for (size_t k = 0; k < raw.len; k++) {
		if (raw.p[k] == '\\' && k + 1 < raw.len)
			k++;
		if (raw.p[k] != '\n' && raw.p[k] != '\r')
			o[n++] = raw.p[k];
	}
	*out = sv_n(o, n);
	return 0;
}

/* One "name=value" as written. */
struct raw_param {
	struct sv name; /* without "*0*" */
	struct sv value;
	uint32_t index;  /* of a continuation (RFC 2231 3) */
	bool section;    /* name*0 */
	bool encoded;    /* name*=, name*0*= */
	size_t order;
};

/* "name", "name*", "name*0", "name*0*" */
static void split_name(struct raw_param *p)
{
	ptrdiff_t star = sv_chr(p->name, '*');
	if (star < 0)
		return;
	struct sv tail = sv_from(p->name, (size_t)star + 1);
	bool encoded = tail.len == 0;
	if (tail.len && tail.p[tail.len - 1] == '*') {
		encoded = true;
		tail.len--;
	}
	if (tail.len && (tail.len > 4 || num_u32(tail, &p->index) != 1))
		return; /* a name that just looks like it */
	p->section = tail.len > 0;
	p->encoded = encoded;
	p->name = sv_upto(p->name, (size_t)star);
}

/* 1 a parameter, 0 the end, -1 arena. */
static int take_param(struct sv *s, struct arena *a, struct raw_param *p)
{
	for (;;) {
		skip_cfws(s);
		if (s->len == 0)
			return 0;
		if (s->p[0] == ';') {
			*s = sv_from(*s, 1);
			continue;
		}
		*p = (struct raw_param){ .order = 0 };
		p->name = take_token(s);
		skip_cfws(s);
		if (p->name.len && s->len && s->p[0] == '=')
			break;
		sv_take_until(s, ';'); /* something else: skipped */
	}
	*s = sv_from(*s, 1);
	skip_cfws(s);
	if (s->len && s->p[0] == '"') {
		if (take_quoted(s, a, &p->value) < 0)
			return -1;
	} else {
		p->value = take_loose(s);
	}
	split_name(p);
	return 1;
}

static void percent_decode(struct buf *out, struct sv s)
{
	for (size_t i = 0; i < s.len; i++) {
		int hi = s.p[i] == '%' && i + 2 < s.len ? num_hex(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? num_hex(s.p[i + 2]) : -1;
		char c = s.p[i];
		if (lo >= 0) {
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		buf_putc(out, c);
	}
}

static int add(struct arena *a, struct mime_param ***tail, struct sv name, struct sv value,
	struct sv charset)
{
	struct mime_param *p = arena_alloc(a, sizeof(*p));
	if (!p)
		return -1;
	p->name = name;
	p->value = value;
	p->charset = charset;
	**tail = p;
	*tail = &p->next;
	return 0;
}

static int by_name(const void *x, const void *y)
{
	const struct raw_param *p = x, *q = y;
	int c = sv_icmp(p->name, q->name);
	if (c == 0)
		c = (p->index > q->index) - (p->index < q->index);
	return c ? c : (p->order > q->order) - (p->order < q->order);
}

/* The sections [from, to) of one name: joined while their numbers go on without a gap. */
static int join(const struct raw_param *raw, size_t from, size_t to, struct arena *a,
	struct mime_param ***tail)
{
	struct sv charset = SV_NONE;
	struct buf b;
	size_t room = 1;
	uint32_t next = raw[from].section ? raw[from].index : 0;
	for (size_t i = from; i < to; i++)
		room += raw[i].value.len;
	buf_init(&b, room);
	for (size_t i = from; i < to; i++) {
		struct sv v = raw[i].value;
		if (i > from && raw[i].index < next)
			continue; /* the same number again: the first counts */
		if (raw[i].index != next)
			break;
		next++;
		if (!raw[i].encoded) {
			buf_put_sv(&b, v);
			continue;
		}
		if (i == from && sv_chr(v, '\'') >= 0) { /* charset'language'text */
			charset = sv_take_until(&v, '\'');
			sv_take_until(&v, '\'');
		}
		percent_decode(&b, v);
	}
	struct sv value = arena_sv(a, buf_sv(&b));
	buf_free(&b);
	return value.p ? add(a, tail, raw[from].name, value, charset) : -1;
}

static int take_params(struct sv s, const struct mime_limits *lim, struct arena *a,
	struct mime_param **first)
{
	struct raw_param *raw = NULL, p;
	size_t n = 0, room = 0;
	int rc = 1;
	for (size_t i = 0; i < s.len && room < lim->params; i++)
		room += s.p[i] == '*'; /* a name with a section number has one */
	for (size_t seen = 0; seen < lim->params && (rc = take_param(&s, a, &p)) == 1; seen++) {
		if (!p.section && !p.encoded) {
			if (add(a, &first, p.name, p.value, SV_NONE) < 0)
				return -1;
			continue;
		}
		if (!raw && !(raw = arena_array(a, room, sizeof(*raw))))
			return -1;
		p.order = n;
		raw[n++] = p;
	}
	if (rc < 0)
		return -1;
	if (n > 1)
		qsort(raw, n, sizeof(*raw), by_name);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && sv_ieq(raw[k].name, raw[i].name);)
			k++;
		if (join(raw, i, k, a, &first) < 0)
			return -1;
	}
	return 1;
}

int mime_value_parse(struct sv body, bool slash, const struct mime_limits *lim, struct arena *a,
	struct mime_value *out)
{
	*out = (struct mime_value){ .type = SV_NONE, .subtype = SV_NONE };
	skip_cfws(&body);
	struct sv type = take_token(&body), subtype = SV_NONE;
	skip_cfws(&body);
	if (type.len == 0)
		return 0;
	if (slash) {
		if (body.len == 0 || body.p[0] != '/')
			return 0;
		body = sv_from(body, 1);
		skip_cfws(&body);
		subtype = take_token(&body);
		if (subtype.len == 0)
			return 0;
	}
	/* text between the type and the first ';' is not ours to understand */
	sv_take_until(&body, ';');
	out->type = type;
	out->subtype = subtype;
	return take_params(body, lim, a, &out->params) < 0 ? -1 : 1;
}

struct sv mime_param(const struct mime_value *v, const char *name)
{
	for (const struct mime_param *p = v->params; p; p = p->next)
		if (sv_ieqz(p->name, name))
			return p->value;
	return SV_NONE;
}
