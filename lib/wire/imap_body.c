/* ENVELOPE and the octets of BODY[section]; the structure is in imap_structure.c. */
#include "lib/wire/imap_body.h"

#include "lib/mail/addr_list.h"
#include "lib/mail/header.h"
#include "lib/wire/imap_write.h"

enum { TOKENS_MAX = 10240 };

/* ---- ENVELOPE ---- */

static int put_group_mark(struct buf *out, const struct addr_item *item)
{
	int rc = buf_puts(out, "(NIL NIL ");
	if (item->kind == ADDR_ITEM_GROUP_START) {
		struct buf name;
		buf_init(&name, item->name.len + 1);
		rc |= addr_item_name(&name, item);
		rc |= imap_put_string(out, buf_sv(&name));
		buf_free(&name);
	} else {
		rc |= buf_puts(out, "NIL");
	}
	return rc | buf_puts(out, " NIL)");
}

/* (name adl mailbox host); NIL as host would mean a group, so a missing domain has a name. */
static int put_address(struct buf *out, const struct addr_item *item)
{
	if (item->kind != ADDR_ITEM_MAILBOX)
		return put_group_mark(out, item);
	struct buf name;
	buf_init(&name, item->name.len + item->comment.len + 1);
	int rc = addr_item_name(&name, item);
	rc |= buf_putc(out, '(');
	rc |= imap_put_nstring(out, buf_sv(&name), name.len == 0);
	buf_free(&name);
	rc |= buf_putc(out, ' ');
	rc |= imap_put_nstring(out, item->route, item->route.len == 0);
	rc |= buf_putc(out, ' ');
	rc |= imap_put_string(out, item->local.len ? item->local : SV("MISSING_MAILBOX"));
	rc |= buf_putc(out, ' ');
	rc |= imap_put_string(out, item->domain.len ? item->domain : SV("MISSING_DOMAIN"));
	return rc | buf_putc(out, ')');
}

int imap_put_addresses(struct buf *out, struct sv body, struct arena *a)
{
	struct addr_list l;
	if (addr_list_parse(body, TOKENS_MAX, a, &l) < 0)
		return -1;
	if (l.count == 0)
		return buf_puts(out, "NIL");
	int rc = buf_putc(out, '(');
	for (size_t i = 0; i < l.count; i++)
		rc |= put_address(out, &l.items[i]);
	return rc | buf_putc(out, ')');
}

/* A field's text unfolded, as nstring. */
static int put_text(struct buf *out, const struct sv *body)
{
	struct buf b;
	if (!body->p)
		return buf_puts(out, "NIL");
	buf_init(&b, body->len + 1);
	int rc = header_unfold(&b, *body);
	rc |= imap_put_string(out, buf_sv(&b));
	buf_free(&b);
	return rc;
}

int imap_put_envelope(struct buf *out, struct sv head, struct arena *a)
{
	static const enum header_id order[] = { HDR_DATE, HDR_SUBJECT, HDR_FROM, HDR_SENDER,
		HDR_REPLY_TO, HDR_TO, HDR_CC, HDR_BCC, HDR_IN_REPLY_TO, HDR_MESSAGE_ID };
	struct sv body[HDR_ID_COUNT] = { { NULL, 0 } };
	struct header_field f;
	while (header_next(&head, &f) == 1)
		if (!body[f.id].p)
			body[f.id] = f.body; /* of repeated fields the first counts */
	if (sv_trim(body[HDR_SENDER]).len == 0)
		body[HDR_SENDER] = body[HDR_FROM];
	if (sv_trim(body[HDR_REPLY_TO]).len == 0)
		body[HDR_REPLY_TO] = body[HDR_FROM];
	int rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		enum header_id id = order[i];
		bool addresses = id == HDR_FROM || id == HDR_SENDER || id == HDR_REPLY_TO ||
				 id == HDR_TO || id == HDR_CC || id == HDR_BCC;
		rc |= buf_putc(out, i ? ' ' : '(');
		rc |= addresses ? imap_put_addresses(out, body[id], a) : put_text(out, &body[id]);
	}
	return rc | buf_putc(out, ')');
}

/* ---- BODY[section] ---- */

/* The part that 1.2.3 names, or NULL. A message that is no multipart has itself as part 1. */
static const struct mime_part *find_part(const struct mime_part *root, const struct imap_section *s)
{
	const struct mime_part *cur = root;
	for (size_t i = 0; i < s->nparts; i++) {
		bool whole = i == 0; /* CUR is a message, not just a part of one */
		if (i > 0 && cur->kind == MIME_MESSAGE) {
			cur = cur->child;
			whole = true;
		}
		if (cur->kind == MIME_MULTIPART) {
			for (cur = cur->child; cur && cur->number != s->part[i];)
				cur = cur->next;
		} else if (!whole || s->part[i] != 1) {
			cur = NULL;
		}
		if (!cur)
			return NULL;
	}
	return cur;
}

static int by_name(const void *x, const void *y)
{
	const struct sv *a = x, *b = y;
	return sv_icmp(*a, *b);
}

/* The fields that are (or are not) in the section's list, in the order of the message. */
static int compose(struct sv head, const struct imap_section *s, struct arena *a,
	struct imap_octets *out)
{
	struct sv *names = arena_array(a, s->nfields, sizeof(*names));
	struct header_field f;
	struct buf b;
	if (!names)
		return -1;
	memcpy(names, s->fields, s->nfields * sizeof(*names));
	qsort(names, s->nfields, sizeof(*names), by_name);
	buf_init(&b, head.len + 2);
	while (header_next(&head, &f) == 1) {
		bool listed = bsearch(&f.name, names, s->nfields, sizeof(*names), by_name) != NULL;
		if (listed != (s->text == IMAP_TEXT_FIELDS))
			continue;
		buf_put_sv(&b, f.raw);
		if (f.raw.p[f.raw.len - 1] != '\n')
			buf_putc(&b, '\n');
	}
	buf_putc(&b, '\n');
	out->composed = true;
	out->text = arena_sv(a, buf_sv(&b));
	buf_free(&b);
	return out->text.p ? 0 : -1;
}

static struct mime_range whole(const struct mime_part *p)
{
	return (struct mime_range){ .start = p->head.start, .end = p->body.end,
		.size = p->head.size + p->body.size, .lines = p->head.lines + p->body.lines };
}

int imap_section_find(struct sv message, const struct mime_part *root,
	const struct imap_section *s, struct arena *a, struct imap_octets *out)
{
	*out = (struct imap_octets){ .text = SV_NONE };
	const struct mime_part *p = find_part(root, s);
	if (p && s->text == IMAP_TEXT_ALL) {
		out->range = s->nparts ? p->body : whole(p);
		return 0;
	}
	if (p && s->text == IMAP_TEXT_MIME) {
		out->range = p->head;
		return 0;
	}
	/* HEADER and TEXT are of messages: the outermost one, or one that is a part */
	if (p && s->nparts)
		p = p->kind == MIME_MESSAGE ? p->child : NULL;
	if (!p) {
		out->nil = true;
		return 0;
	}
	switch (s->text) {
	case IMAP_TEXT_HEADER: out->range = p->head; return 0;
	case IMAP_TEXT_TEXT: out->range = p->body; return 0;
	default:
		return compose(sv_sub(message, p->head.start, p->head.end - p->head.start), s, a, out);
	}
}
