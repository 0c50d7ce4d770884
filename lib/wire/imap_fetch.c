#include "lib/wire/imap_fetch.h"

#include "lib/wire/imap_write.h"

static int bad(struct imap_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return -1;
}

static const struct {
	const char *word;
	enum imap_fetch_kind kind;
} words[] = {
	{ "FLAGS", IMAP_FETCH_FLAGS },
	{ "INTERNALDATE", IMAP_FETCH_INTERNALDATE },
	{ "RFC822.SIZE", IMAP_FETCH_RFC822_SIZE },
	{ "ENVELOPE", IMAP_FETCH_ENVELOPE },
	{ "BODY", IMAP_FETCH_BODY },
	{ "BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE },
	{ "UID", IMAP_FETCH_UID },
	{ "MODSEQ", IMAP_FETCH_MODSEQ },
	{ "EMAILID", IMAP_FETCH_EMAILID },
	{ "THREADID", IMAP_FETCH_THREADID },
	{ "SAVEDATE", IMAP_FETCH_SAVEDATE },
	{ "RFC822", IMAP_FETCH_RFC822 },
	{ "RFC822.HEADER", IMAP_FETCH_RFC822_HEADER },
	{ "RFC822.TEXT", IMAP_FETCH_RFC822_TEXT },
};

/* Names of section texts; "HEADER.FIELDS.NOT" must come before its prefixes. */
static const struct {
	const char *word;
	enum imap_section_text text;
} texts[] = {
	{ "HEADER.FIELDS.NOT", IMAP_TEXT_FIELDS_NOT },
	{ "HEADER.FIELDS", IMAP_TEXT_FIELDS },
	{ "HEADER", IMAP_TEXT_HEADER },
	{ "TEXT", IMAP_TEXT_TEXT },
	{ "MIME", IMAP_TEXT_MIME },
};

static bool is_number_next(const struct imap_parser *p)
{
	return p->pos < p->in.len && ascii_is_digit(p->in.p[p->pos]);
}

/* "1.2.3" and a '.' behind it when a text follows. */
static int take_part_numbers(struct imap_parser *p, struct imap_section *s)
{
	if (!is_number_next(p))
		return 1;
	s->part = arena_array(p->arena, IMAP_SECTION_DEPTH_MAX, sizeof(*s->part));
	if (!s->part)
		return bad(p, "command too large");
	do {
		if (s->nparts == IMAP_SECTION_DEPTH_MAX)
			return bad(p, "section too deep");
		if (imap_nz_number(p, &s->part[s->nparts++]) < 0)
			return -1;
		if (!imap_accept(p, '.'))
			return 1;
	} while (is_number_next(p));
	return imap_peek(p, ']') ? bad(p, "invalid section") : 1;
}

/* "(From To)": first counted, then stored. */
static int take_fields(struct imap_parser *p, struct imap_section *s)
{
	if (imap_sp(p) < 0)
		return -1;
	if (!imap_accept(p, '('))
		return bad(p, "expected a list of header names");
	s->fields = arena_array(p->arena, 16, sizeof(*s->fields));
	size_t room = 16;
	do {
		if (s->nfields == IMAP_FIELDS_MAX)
			return bad(p, "too many header names");
		if (s->fields && s->nfields == room) {
			struct sv *more = arena_array(p->arena, 4 * room, sizeof(*more));
			if (more)
				memcpy(more, s->fields, s->nfields * sizeof(*more));
			s->fields = more;
			room *= 4;
		}
		if (!s->fields)
			return bad(p, "command too large");
		if (imap_astring(p, &s->fields[s->nfields]) < 0)
			return -1;
		s->nfields++;
	} while (imap_accept(p, ' '));
	return imap_accept(p, ')') ? 1 : bad(p, "list of header names without end");
}

/* Behind '[' up to and with ']'. */
static int take_section(struct imap_parser *p, struct imap_section *s)
{
	if (take_part_numbers(p, s) < 0)
		return -1;
	if (!imap_peek(p, ']')) {
		if (s->nparts && p->in.p[p->pos - 1] != '.')
			return bad(p, "invalid section");
		size_t i = 0;
		while (i < ARRAY_LEN(texts) && !imap_word(p, texts[i].word))
			i++;
		if (i == ARRAY_LEN(texts) || (texts[i].text == IMAP_TEXT_MIME && s->nparts == 0))
			return bad(p, "invalid section");
		s->text = texts[i].text;
		if ((s->text == IMAP_TEXT_FIELDS || s->text == IMAP_TEXT_FIELDS_NOT) &&
			take_fields(p, s) < 0)
			return -1;
	}
	return imap_accept(p, ']') ? 1 : bad(p, "section without end");
}

/* "<start.length>" */
static int take_partial(struct imap_parser *p, struct imap_section *s)
{
	uint64_t start, length;
	if (!imap_accept(p, '<'))
		return 1;
	if (imap_number64(p, &start) < 0)
		return -1;
	if (!imap_accept(p, '.'))
		return bad(p, "invalid partial range");
	if (imap_number64(p, &length) < 0)
		return -1;
	if (length == 0 || !imap_accept(p, '>'))
		return bad(p, "invalid partial range");
	s->has_partial = true;
	s->start = start;
	s->length = length;
	return 1;
}

static int take_body(struct imap_parser *p, bool peek, struct imap_fetch_item *item)
{
	item->kind = IMAP_FETCH_SECTION;
	item->peek = peek;
	if (take_section(p, &item->section) < 0)
		return -1;
	return take_partial(p, &item->section);
}

/* Letters, digits and dots: what item names are made of. */
static struct sv take_name(struct imap_parser *p)
{
	size_t start = p->pos;
	while (p->pos < p->in.len && (ascii_is_alnum(p->in.p[p->pos]) || p->in.p[p->pos] == '.'))
		p->pos++;
	return sv_sub(p->in, start, p->pos - start);
}

static int take_item(struct imap_parser *p, struct imap_fetch_item *item)
{
	struct sv name = take_name(p);
	*item = (struct imap_fetch_item){ .peek = true };
	bool peek = sv_ieqz(name, "BODY.PEEK");
	if (imap_accept(p, '[')) {
		if (!peek && !sv_ieqz(name, "BODY"))
			return bad(p, "unknown FETCH item");
		return take_body(p, peek, item);
	}
	size_t i = 0;
	while (i < ARRAY_LEN(words) && !sv_ieqz(name, words[i].word))
		i++;
	if (i == ARRAY_LEN(words))
		return bad(p, "unknown FETCH item");
	item->kind = words[i].kind;
	if (item->kind == IMAP_FETCH_RFC822_HEADER)
		item->section.text = IMAP_TEXT_HEADER;
	if (item->kind == IMAP_FETCH_RFC822_TEXT)
		item->section.text = IMAP_TEXT_TEXT;
	item->peek = item->kind != IMAP_FETCH_RFC822 && item->kind != IMAP_FETCH_RFC822_TEXT;
	return 1;
}

/* FAST is the first three, ALL the first four, FULL all five. */
static size_t take_macro(struct imap_parser *p, struct imap_fetch_item *items)
{
	static const enum imap_fetch_kind kinds[] = { IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE,
		IMAP_FETCH_RFC822_SIZE, IMAP_FETCH_ENVELOPE, IMAP_FETCH_BODY };
	size_t n = imap_word(p, "FAST") ? 3 : imap_word(p, "ALL") ? 4 : imap_word(p, "FULL") ? 5 : 0;
	for (size_t i = 0; i < n; i++)
		items[i] = (struct imap_fetch_item){ .kind = kinds[i], .peek = true };
	return n;
}

int imap_fetch_items(struct imap_parser *p, struct imap_fetch *out)
{
	*out = (struct imap_fetch){ .count = 0 };
	out->items = arena_array(p->arena, IMAP_FETCH_ITEMS_MAX, sizeof(*out->items));
	if (!out->items)
		return bad(p, "command too large");
	out->count = take_macro(p, out->items);
	if (out->count)
		return 1;
	bool list = imap_accept(p, '(');
	do {
		if (out->count == IMAP_FETCH_ITEMS_MAX)
			return bad(p, "too many FETCH items");
		struct imap_fetch_item *item = &out->items[out->count++];
		if (take_item(p, item) < 0)
			return -1;
		out->sets_seen |= !item->peek;
	} while (list && imap_accept(p, ' '));
	if (list && !imap_accept(p, ')'))
		return bad(p, "list of FETCH items without end");
	return 1;
}

static int put_section(struct buf *out, const struct imap_section *s)
{
	int rc = buf_puts(out, "BODY[");
	for (size_t i = 0; i < s->nparts; i++)
		rc |= buf_printf(out, i ? ".%u" : "%u", s->part[i]);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (s->text == texts[i].text)
			rc |= buf_printf(out, "%s%s", s->nparts ? "." : "", texts[i].word);
	for (size_t i = 0; i < s->nfields; i++) {
		rc |= buf_puts(out, i ? " " : " (");
		rc |= imap_put_astring(out, s->fields[i]);
	}
	rc |= buf_puts(out, s->nfields ? ")]" : "]");
	if (s->has_partial)
		rc |= buf_printf(out, "<%llu>", (unsigned long long)s->start);
	return rc;
}

int imap_fetch_name(struct buf *out, const struct imap_fetch_item *item)
{
	if (item->kind == IMAP_FETCH_SECTION)
		return put_section(out, &item->section);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].kind == item->kind)
			return buf_puts(out, words[i].word);
	return -1;
}
