/*
 * Two passes, both linear: octets to tokens (at most max_tokens of them), tokens to items. An item
 * is what stands between commas; inside one, "phrase <spec>" or one or more bare addr-specs. Two
 * words side by side without '@' or '.' between them are two addresses whose comma is missing.
 */
#include "lib/mail/addr_list.h"

#include "lib/mail/addr.h"

enum token_kind { T_WORD, T_QUOTED, T_LITERAL, T_COMMENT, T_OP };

struct token {
	enum token_kind kind;
	char op;
	size_t start, end; /* offsets into the field */
};

struct reader {
	struct sv body;
	struct arena *a;
	struct token *t;
	size_t n;
	struct addr_list *out;
	size_t room; /* allocated items */
	bool in_group;
};

/* ---- octets to tokens ---- */

static size_t end_of_quoted(struct sv s, size_t i, bool *bad)
{
	for (i++; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	*bad = true;
	return s.len;
}

static size_t end_of_comment(struct sv s, size_t i, bool *bad)
{
	for (unsigned depth = 0; i < s.len; i++) {
		if (s.p[i] == '\\') {
			i++;
		} else if (s.p[i] == '(') {
			if (++depth > ADDR_COMMENT_DEPTH)
				break;
		} else if (s.p[i] == ')' && --depth == 0) {
			return i + 1;
		}
	}
	*bad = true;
	return s.len;
}

static size_t end_of_literal(struct sv s, size_t i, bool *bad)
{
	for (; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == ']')
			return i + 1;
	}
	*bad = true;
	return s.len;
}

static bool is_op(char c)
{
	return c != '\0' && strchr("<>@,;:)]", c) != NULL;
}

static size_t end_of_word(struct sv s, size_t i)
{
	while (i < s.len && !ascii_is_blank(s.p[i]) && !is_op(s.p[i]) && s.p[i] != '(' &&
		s.p[i] != '"' && s.p[i] != '[')
		i += s.p[i] == '\\' ? 2 : 1;
	return i > s.len ? s.len : i;
}

/* False: the arena is exhausted. */
static bool tokenize(struct reader *r, size_t max)
{
	struct sv s = r->body;
	size_t room = s.len < max ? s.len : max;
	r->t = arena_array(r->a, room, sizeof(*r->t));
	if (!r->t)
		return false;
	for (size_t i = 0; i < s.len;) {
		char c = s.p[i];
		if (ascii_is_blank(c)) {
			i++;
			continue;
		}
		if (r->n == room) {
			r->out->truncated = true;
			break;
		}
		struct token *t = &r->t[r->n++];
		t->start = i;
		t->kind = T_OP;
		t->op = c;
		if (c == '"') {
			t->kind = T_QUOTED;
			i = end_of_quoted(s, i, &r->out->bad);
		} else if (c == '(') {
			t->kind = T_COMMENT;
			i = end_of_comment(s, i, &r->out->bad);
		} else if (c == '[') {
			t->kind = T_LITERAL;
			i = end_of_literal(s, i, &r->out->bad);
		} else if (is_op(c)) {
			i++;
		} else {
			t->kind = T_WORD;
			i = end_of_word(s, i);
		}
		t->end = i;
	}
	return true;
}

/* ---- tokens to items ---- */

static bool is(const struct reader *r, size_t i, char op)
{
	return i < r->n && r->t[i].kind == T_OP && r->t[i].op == op;
}

static struct sv span(const struct reader *r, size_t start, size_t end)
{
	return sv_sub(r->body, start, end - start);
}

static struct sv comment_text(const struct reader *r, const struct token *t)
{
	bool closed = t->end - t->start >= 2 && r->body.p[t->end - 1] == ')';
	return span(r, t->start + 1, closed ? t->end - 1 : t->end);
}

/* Never more items than separators, angles and word pairs allow. */
static bool alloc_items(struct reader *r)
{
	size_t n = 2;
	bool word = false;
	for (size_t i = 0; i < r->n; i++) {
		bool op = r->t[i].kind == T_OP;
		if (op)
			n += r->t[i].op == ';' ? 2 : r->t[i].op != '@';
		else if (r->t[i].kind != T_COMMENT)
			n += word;
		if (r->t[i].kind != T_COMMENT)
			word = !op;
	}
	r->room = n;
	r->out->items = arena_array(r->a, n, sizeof(*r->out->items));
	return r->out->items != NULL;
}

static struct addr_item *new_item(struct reader *r, enum addr_item_kind kind)
{
	if (r->out->count == r->room) {
		r->out->truncated = true;
		return NULL;
	}
	struct addr_item *item = &r->out->items[r->out->count++];
	item->kind = kind;
	return item;
}

static void put_token(const struct reader *r, const struct token *t, struct buf *b)
{
	struct sv s = span(r, t->start, t->end);
	if (t->kind == T_LITERAL || t->kind == T_OP) {
		buf_put_sv(b, s);
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (t->kind == T_QUOTED && s.p[i] == '"')
			continue;
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			buf_putc(b, s.p[i]);
	}
}

/* Does token B belong to the same addr-spec as A, the one before it? */
static bool glued(const struct reader *r, const struct token *a, const struct token *b)
{
	if (a->kind == T_OP || b->kind == T_OP)
		return (a->kind == T_OP && a->op == '@') || (b->kind == T_OP && b->op == '@');
	if (r->body.p[a->end - 1] == '.' || r->body.p[b->start] == '.')
		return true;
	return a->end == b->start; /* a"b c"d */
}

/* The address of tokens [from, to); comments among them are not part of it. */
static bool fill_spec(struct reader *r, struct addr_item *item, size_t from, size_t to)
{
	struct buf b;
	const struct token *last = NULL;
	size_t spec_start = item->route.len ? (size_t)(item->route.p - r->body.p) : 0;
	buf_init(&b, r->body.len + 16);
	for (size_t i = from; i < to; i++) {
		const struct token *t = &r->t[i];
		if (t->kind == T_COMMENT)
			continue;
		if (!last && !item->route.len)
			spec_start = t->start;
		if (last && !glued(r, last, t)) {
			r->out->bad = true; /* <two words@host> */
			buf_putc(&b, ' ');
		}
		put_token(r, t, &b);
		last = t;
	}
	if (last)
		item->spec = span(r, spec_start, last->end);
	item->internal = arena_sv(r->a, buf_sv(&b));
	buf_free(&b);
	if (!item->internal.p)
		return false;
	addr_split(item->internal, &item->local, &item->domain);
	if (last && item->local.len == 0)
		r->out->bad = true;
	return true;
}

/* The '>' that closes the '<' at token I, or 0: another '<' or a comma outside a route is first. */
static size_t closing(const struct reader *r, size_t i)
{
	bool route = is(r, i + 1, '@');
	for (size_t k = i + 1; k < r->n; k++) {
		if (is(r, k, '>'))
			return k;
		if (is(r, k, '<') || is(r, k, ';') || (is(r, k, ',') && !route))
			return 0;
		if (is(r, k, ':'))
			route = false;
	}
	return 0;
}

/* "<...>" at token I, its '>' at END; the phrase is tokens [from, i). AGAIN: not the first one
 * since the last comma. */
static bool angle_item(struct reader *r, size_t from, size_t i, size_t end, bool again)
{
	struct addr_item *item = new_item(r, ADDR_ITEM_MAILBOX);
	if (!item)
		return true;
	size_t spec = i + 1;
	item->angle = true;
	item->missing_comma = again;
	item->begin = r->t[from].start; /* FROM is I when there is no phrase */
	if (i > from)
		item->name = span(r, r->t[from].start, r->t[i - 1].end);
	if (is(r, spec, '@'))
		for (size_t k = spec; k < end; k++)
			if (is(r, k, ':')) {
				item->route = span(r, r->t[spec].start, r->t[k - 1].end);
				spec = k + 1;
				break;
			}
	item->spec = span(r, r->t[i].end, r->t[i].end); /* <> */
	return fill_spec(r, item, spec, end);
}

/* Bare addr-specs in tokens [from, to). */
static bool bare_items(struct reader *r, size_t from, size_t to)
{
	struct sv comment = SV_NONE;
	bool first = true;
	while (from < to) {
		if (r->t[from].kind == T_COMMENT) {
			comment = comment_text(r, &r->t[from++]);
			if (!first)
				r->out->items[r->out->count - 1].comment = comment;
			continue;
		}
		size_t last = from, k = from + 1;
		for (; k < to; k++) {
			if (r->t[k].kind == T_COMMENT)
				continue;
			if (!glued(r, &r->t[last], &r->t[k]))
				break;
			last = k;
		}
		struct addr_item *item = new_item(r, ADDR_ITEM_MAILBOX);
		if (!item)
			return true;
		item->begin = r->t[from].start;
		if (first)
			item->comment = comment;
		item->missing_comma = !first;
		if (!fill_spec(r, item, from, last + 1))
			return false;
		/* a comment inside the spec, when none follows */
		for (size_t c = from; c < last; c++)
			if (r->t[c].kind == T_COMMENT)
				item->comment = comment_text(r, &r->t[c]);
		first = false;
		from = last + 1;
	}
	return true;
}

static bool group_mark(struct reader *r, enum addr_item_kind kind, size_t from, size_t at)
{
	struct addr_item *item = new_item(r, kind);
	r->in_group = kind == ADDR_ITEM_GROUP_START;
	if (!item)
		return true;
	if (at > from)
		item->name = span(r, r->t[from].start, r->t[at - 1].end);
	item->spec = span(r, r->t[at].start, r->t[at].start);
	item->internal = item->local = item->domain = SV_NONE;
	return true;
}

/* One item from token I on; *next is behind it and the separator that ended it. */
static bool read_item(struct reader *r, size_t i, size_t *next)
{
	size_t from = i;
	bool angle = false, ok = true;
	for (; ok && i < r->n; i++) {
		const struct token *t = &r->t[i];
		if (t->kind != T_OP || t->op == '@')
			continue;
		if (t->op == '<') {
			size_t end = closing(r, i);
			if (end) {
				ok = angle_item(r, from, i, end, angle);
				angle = true;
				from = end + 1;
				i = end;
				continue;
			}
		} else if (t->op == ',' || t->op == ';') {
			break;
		} else if (t->op == ':') {
			ok = group_mark(r, ADDR_ITEM_GROUP_START, from, i);
			*next = i + 1;
			return ok;
		}
		/* a stray operator: what stands around it is read without it */
		r->out->bad = true;
		if (!angle)
			ok = ok && bare_items(r, from, i);
		from = i + 1;
	}
	if (ok && angle) {
		for (size_t k = from; k < i; k++) {
			if (r->t[k].kind == T_COMMENT)
				r->out->items[r->out->count - 1].comment = comment_text(r, &r->t[k]);
			else
				r->out->bad = true; /* words behind "<...>" */
		}
	} else if (ok) {
		ok = bare_items(r, from, i);
	}
	if (ok && is(r, i, ';') && r->in_group)
		ok = group_mark(r, ADDR_ITEM_GROUP_END, i, i);
	*next = i + 1;
	return ok;
}

int addr_list_parse(struct sv body, size_t max_tokens, struct arena *a, struct addr_list *out)
{
	struct reader r = { .body = body, .a = a, .out = out };
	*out = (struct addr_list){ .items = NULL };
	if (!tokenize(&r, max_tokens) || !alloc_items(&r))
		return -1;
	for (size_t i = 0; i < r.n;)
		if (!read_item(&r, i, &i))
			return -1;
	return 0;
}
