/* links: wire mail */
/* Messages: the part tree is nested as its ranges say, counts are right, structure can be written
 * (with balanced parentheses) and every part found again by its number. */
#include "lib/mail/header.h"
#include "lib/wire/imap_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_range(struct sv msg, const struct mime_range *r)
{
	size_t size = r->end - r->start, lines = 0;
	check(r->start <= r->end && r->end <= msg.len);
	for (size_t i = r->start; i < r->end; i++) {
		lines += msg.p[i] == '\n';
		size += msg.p[i] == '\n' && (i == 0 || msg.p[i - 1] != '\r');
	}
	check(size == r->size && lines == r->lines);
}

static void check_part(struct sv msg, const struct mime_part *p)
{
	check_range(msg, &p->head);
	check_range(msg, &p->body);
	check(p->head.end == p->body.start);
	check(p->type.type.len > 0 && p->type.subtype.len > 0);
	check((p->kind == MIME_LEAF) <= (p->child == NULL));
	check(p->kind != MIME_MESSAGE || (p->child && !p->child->next));
	for (const struct mime_part *c = p->child; c; c = c->next) {
		check(c->parent == p && c->depth == p->depth + 1);
		check(c->head.start >= p->body.start && c->body.end <= p->body.end);
		check(!c->next || c->body.end <= c->next->head.start);
	}
}

/* Parentheses outside strings; literals jumped over. */
static void check_balance(struct sv s)
{
	size_t depth = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"') {
			for (i++; i < s.len && s.p[i] != '"'; i++)
				i += s.p[i] == '\\';
		} else if (s.p[i] == '{') {
			size_t n = 0;
			for (i++; s.p[i] != '}'; i++)
				n = n * 10 + (size_t)(s.p[i] - '0');
			i += 2 + n;
		} else if (s.p[i] == '(') {
			depth++;
		} else if (s.p[i] == ')') {
			check(depth-- > 0);
		}
	}
	check(depth == 0);
}

static void check_found(struct sv msg, const struct mime_part *root, const struct mime_part *p,
	struct arena *a)
{
	uint32_t path[128];
	size_t n = 0;
	struct imap_octets o;
	if (p->parent && p->parent->kind == MIME_MESSAGE && p->kind == MIME_MULTIPART)
		return; /* has no number of its own */
	if (!p->parent && p->kind == MIME_MULTIPART)
		return;
	for (const struct mime_part *q = p; q; q = q->parent) {
		bool top = !q->parent || q->parent->kind == MIME_MESSAGE;
		if (top && q->kind == MIME_MULTIPART)
			continue;
		path[n++] = q->number;
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t t = path[i];
		path[i] = path[n - 1 - i];
		path[n - 1 - i] = t;
	}
	struct imap_section s = { .part = path, .nparts = n, .text = IMAP_TEXT_ALL };
	check(imap_section_find(msg, root, &s, a, &o) == 0);
	check(!o.nil && o.range.start == p->body.start && o.range.end == p->body.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mime_limits limits = { .depth = 20, .parts = 200, .boundary = 70, .params = 20 };
	struct sv msg = sv_n((const char *)data, size), head, body;
	struct arena a;
	struct mime_part *root;
	arena_init(&a, (size_t)64 << 20);
	check(mime_parse(msg, &limits, &a, &root) == 0);
	header_split(msg, &head, &body);
	check(root->body.end - root->body.start == body.len);
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		check_part(msg, p);
		check_found(msg, root, p, &a);
	}
	struct buf b;
	buf_init(&b, (size_t)64 << 20);
	check(imap_put_structure(&b, msg, root, true, &a) == 0);
	check_balance(buf_sv(&b));
	buf_reset(&b);
	check(imap_put_structure(&b, msg, root, false, &a) == 0);
	check_balance(buf_sv(&b));
	buf_reset(&b);
	check(imap_put_envelope(&b, head, &a) == 0);
	check_balance(buf_sv(&b));
	struct sv names[2] = { SV("from"), SV("Content-Type") };
	struct imap_octets o;
	struct imap_section s = { .text = IMAP_TEXT_FIELDS, .fields = names, .nfields = 2 };
	check(imap_section_find(msg, root, &s, &a, &o) == 0 && o.composed);
	size_t len = o.text.len;
	s.text = IMAP_TEXT_FIELDS_NOT;
	check(imap_section_find(msg, root, &s, &a, &o) == 0 && o.composed);
	check(len + o.text.len <= head.len + 4);
	buf_free(&b);
	arena_free(&a);
	return 0;
}
