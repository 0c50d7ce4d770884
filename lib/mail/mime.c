/*
 * One pass over the lines. The innermost open part reads lines as its header or its body; open
 * multiparts wait for their boundaries, innermost first. Invariants:
 *
 *   1. r->cur is the innermost open part; its ancestors are open, nothing else is.
 *   2. here.off is the start of the current line; here.size and here.lines count what is before.
 *   3. every open multipart that has not seen its closing boundary is in r->open[0..depth).
 */
#include "lib/mail/mime.h"

#include "lib/mail/header.h"

/* A position with the counts of what precedes it. */
struct mark {
	size_t off, size, lines;
};

struct level {
	struct mime_part *part;
	struct sv boundary;
	bool digest;
};

struct reader {
	struct sv msg;
	const struct mime_limits *lim;
	struct arena *a;
	struct mark here;
	struct mime_part *cur;
	bool in_header;
	size_t field;  /* start of the header field being read; SIZE_MAX: none */
	struct level *open;
	size_t depth;
	size_t parts;
	bool digest_default; /* the next part's default type */
	bool failed;
};

static void range_start(struct mime_range *r, const struct mark *m)
{
	r->start = m->off;
	r->size = m->size;
	r->lines = m->lines;
}

/* Until here .size and .lines hold the counts at the start. */
static void range_end(struct mime_range *r, const struct mark *m)
{
	bool empty = m->off < r->start;
	r->end = empty ? r->start : m->off;
	r->size = empty ? 0 : m->size - r->size;
	r->lines = empty ? 0 : m->lines - r->lines;
}

/* The position before the line end that precedes M: it belongs to the boundary (RFC 2046 5.1.1). */
static struct mark before_line_end(const struct reader *r, struct mark m)
{
	if (m.off == 0)
		return m;
	bool cr = m.off >= 2 && r->msg.p[m.off - 2] == '\r';
	m.off -= cr ? 2 : 1;
	m.size -= 2;
	m.lines--;
	return m;
}

static struct mime_part *new_part(struct reader *r, struct mime_part *parent)
{
	struct mime_part *p = arena_alloc(r->a, sizeof(*p));
	if (!p) {
		r->failed = true;
		return NULL;
	}
	p->parent = parent;
	p->number = 1;
	if (parent) {
		p->depth = parent->depth + 1;
		if (parent->last_child) {
			p->number = parent->last_child->number + 1;
			parent->last_child->next = p;
		} else {
			parent->child = p;
		}
		parent->last_child = p;
	}
	p->disposition.type = p->id = p->description = p->encoding = SV_NONE;
	p->md5 = p->language = p->location = p->disposition.subtype = SV_NONE;
	range_start(&p->head, &r->here);
	r->cur = p;
	r->in_header = true;
	r->field = SIZE_MAX;
	r->parts++;
	return p;
}

/* ---- header fields ---- */

static void first_of(struct sv *slot, struct sv value)
{
	if (slot->len == 0)
		*slot = sv_trim(value);
}

/* Of repeated fields the first counts, for every reader alike. */
static void read_field(struct reader *r, struct mime_part *p, const struct header_field *f)
{
	int rc = 0;
	switch (f->id) {
	case HDR_CONTENT_TYPE:
		if (p->type.type.len == 0)
			rc = mime_value_parse(f->body, true, r->lim, r->a, &p->type);
		break;
	case HDR_CONTENT_DISPOSITION:
		if (p->disposition.type.len == 0)
			rc = mime_value_parse(f->body, false, r->lim, r->a, &p->disposition);
		break;
	case HDR_CONTENT_TRANSFER_ENCODING: first_of(&p->encoding, f->body); break;
	case HDR_CONTENT_ID: first_of(&p->id, f->body); break;
	case HDR_CONTENT_DESCRIPTION: first_of(&p->description, f->body); break;
	case HDR_CONTENT_MD5: first_of(&p->md5, f->body); break;
	case HDR_CONTENT_LANGUAGE: first_of(&p->language, f->body); break;
	case HDR_CONTENT_LOCATION: first_of(&p->location, f->body); break;
	default: break;
	}
	r->failed |= rc < 0;
}

static void end_field(struct reader *r)
{
	if (r->field == SIZE_MAX)
		return;
	struct sv rest = sv_sub(r->msg, r->field, r->here.off - r->field);
	struct header_field f;
	if (header_next(&rest, &f) == 1)
		read_field(r, r->cur, &f);
	r->field = SIZE_MAX;
}

static void set_type(struct mime_part *p, struct sv type, struct sv subtype)
{
	p->type = (struct mime_value){ .type = type, .subtype = subtype };
	p->type_default = true;
}

static bool type_is(const struct mime_part *p, const char *type, const char *subtype)
{
	return sv_ieqz(p->type.type, type) && (!subtype || sv_ieqz(p->type.subtype, subtype));
}

static bool is_message(const struct mime_part *p)
{
	return type_is(p, "message", "rfc822") || type_is(p, "message", "global");
}

static bool encoded(const struct mime_part *p)
{
	return p->transfer == TRANSFER_BASE64 || p->transfer == TRANSFER_QP;
}

/* A multipart whose boundary is usable opens a level; else its content is text. */
static void open_multipart(struct reader *r, struct mime_part *p)
{
	struct sv boundary = sv_trim_right(mime_param(&p->type, "boundary"));
	if (boundary.len == 0 || boundary.len > r->lim->boundary) {
		set_type(p, SV("text"), SV("plain"));
		return;
	}
	p->kind = MIME_MULTIPART;
	r->open[r->depth++] = (struct level){ .part = p, .boundary = boundary,
		.digest = type_is(p, "multipart", "digest") };
}

/* The header is complete; its lines end at HERE, the body starts there. */
static void end_header(struct reader *r)
{
	struct mime_part *p = r->cur;
	end_field(r);
	range_end(&p->head, &r->here);
	range_start(&p->body, &r->here);
	r->in_header = false;
	p->transfer = transfer_encoding_of(p->encoding);
	if (p->type.type.len == 0) {
		if (r->digest_default)
			set_type(p, SV("message"), SV("rfc822"));
		else
			set_type(p, SV("text"), SV("plain"));
	}
	r->digest_default = false;
	bool multipart = type_is(p, "multipart", NULL);
	if (!multipart && !is_message(p))
		return;
	if (p->depth + 1 >= r->lim->depth || r->parts >= r->lim->parts || encoded(p)) {
		set_type(p, SV("application"), SV("octet-stream"));
	} else if (multipart) {
		open_multipart(r, p);
	} else {
		p->kind = MIME_MESSAGE;
		new_part(r, p);
	}
}

/* ---- boundaries ---- */

/* Does LINE, which starts with "--", end or divide an open multipart? Its level, or SIZE_MAX. */
static size_t find_level(const struct reader *r, struct sv line, bool *closes)
{
	struct sv text = sv_trim_right(sv_from(line, 2));
	for (size_t i = r->depth; i-- > 0;) {
		struct sv b = r->open[i].boundary;
		if (!sv_starts(text, b))
			continue;
		struct sv tail = sv_from(text, b.len);
		*closes = sv_eqz(tail, "--");
		if (*closes || tail.len == 0)
			return i;
	}
	return SIZE_MAX;
}

/* Close everything inside PART (and with SELF the part itself); contents end at M. */
static void close_inside(struct reader *r, const struct mime_part *part, const struct mark *m)
{
	while (r->cur != part) {
		if (r->in_header)
			end_header(r); /* may open a child: closed in the next turn */
		else {
			/* a line end that belongs to an inner header is not the boundary's */
			const struct mime_part *last = r->cur->last_child;
			bool shared = last && last->body.end > m->off;
			range_end(&r->cur->body, shared ? &r->here : m);
			r->cur = r->cur->parent;
		}
	}
}

static void at_boundary(struct reader *r, size_t level, bool closes)
{
	struct level *l = &r->open[level];
	struct mime_part *part = l->part;
	struct mark m = before_line_end(r, r->here);
	close_inside(r, part, &m);
	r->depth = closes ? level : level + 1; /* levels inside are gone */
	r->in_header = false;
	if (closes)
		return;
	r->digest_default = l->digest;
	if (r->parts >= r->lim->parts)
		r->depth = level; /* no more parts: the rest is this one's epilogue */
}

/* ---- lines ---- */

static void advance(struct reader *r, size_t len)
{
	size_t end = r->here.off + len;
	bool lf = len && r->msg.p[end - 1] == '\n';
	bool cr = len >= 2 && r->msg.p[end - 2] == '\r';
	r->here.off = end;
	r->here.size += len + (lf && !cr);
	r->here.lines += lf;
}

static bool is_empty_line(struct sv line)
{
	return sv_eqz(line, "\n") || sv_eqz(line, "\r\n");
}

/* False: LINE is the first of the body and has not been counted yet. */
static bool header_text(struct reader *r, struct sv line)
{
	struct sv name, body;
	if (is_empty_line(line)) {
		end_field(r);
		advance(r, line.len);
		end_header(r);
		return true;
	}
	bool fold = line.p[0] == ' ' || line.p[0] == '\t';
	if (fold && r->field != SIZE_MAX) {
		advance(r, line.len);
		return true;
	}
	end_field(r);
	if (header_line(line, &name, &body) == 0) {
		end_header(r);
		return false;
	}
	r->field = r->here.off;
	advance(r, line.len);
	return true;
}

static void read_line(struct reader *r, struct sv line)
{
	if (r->depth && line.len > 2 && line.p[0] == '-' && line.p[1] == '-') {
		bool closes;
		size_t level = find_level(r, line, &closes);
		if (level != SIZE_MAX) {
			struct mime_part *part = r->open[level].part;
			at_boundary(r, level, closes);
			advance(r, line.len);
			if (!closes && r->depth > level)
				new_part(r, part);
			return;
		}
	}
	while (r->in_header && !r->failed)
		if (header_text(r, line))
			return;
	advance(r, line.len);
}

int mime_parse(struct sv message, const struct mime_limits *lim, struct arena *a,
	struct mime_part **root)
{
	struct reader r = { .msg = message, .lim = lim, .a = a };
	r.open = arena_array(a, lim->depth + 1, sizeof(*r.open));
	*root = new_part(&r, NULL);
	if (!r.open || !*root)
		return -1;
	while (r.here.off < message.len && !r.failed) {
		struct sv rest = sv_from(message, r.here.off);
		const char *lf = memchr(rest.p, '\n', rest.len);
		read_line(&r, lf ? sv_upto(rest, (size_t)(lf - rest.p) + 1) : rest);
	}
	if (!r.failed)
		close_inside(&r, NULL, &r.here);
	return r.failed ? -1 : 0;
}

const struct mime_part *mime_next(const struct mime_part *p)
{
	if (p->child)
		return p->child;
	while (p && !p->next)
		p = p->parent;
	return p ? p->next : NULL;
}
