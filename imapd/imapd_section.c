/* BODY[section]: where its octets are, and sending them with CRLF line ends in blocks. */
#include <string.h>

#include "imapd/imapd_mail.h"
#include "lib/sys/log.h"
#include "lib/wire/crlf.h"
#include "lib/wire/imap_write.h"

#define BLOCK (64 * 1024)

static void piece_of_range(struct imap_piece *out, const struct mime_range *r)
{
	*out = (struct imap_piece){ .start = r->start, .end = r->end, .size = r->size };
}

static int by_parser(struct imap_mail *m, struct sv message, const struct mime_part *root,
        const struct imap_fetch_item *item, struct imap_piece *out, struct err *e)
{
	struct imap_octets o = { .nil = false };

	if (imap_section_find(message, root, &item->section, &m->arena, &o) < 0)
		return err_set(e, ERR_TEMP, "message %u: a section needs too much memory",
		        (unsigned)m->uid);
	piece_of_range(out, &o.range);
	out->nil = o.nil;
	out->composed = o.composed;
	if (o.composed) {
		out->text = o.text;
		out->size = crlf_size(o.text, '\0');
	}
	return 1;
}

/* Sections of the message itself: the header is enough to know where they are. */
static int top_level(struct imap_mail *m, const struct imap_fetch_item *item,
        struct imap_piece *out, struct err *e)
{
	const struct mime_limits limits = MIME_LIMITS_DEFAULT;
	struct mime_part *root;

	*out = (struct imap_piece){ .end = m->content.size, .size = m->content.vsize };
	if (item->section.text == IMAP_TEXT_ALL)
		return 1;
	if (imapd_mail_need_head(m, e) < 0)
		return -1;
	struct sv head = imapd_mail_head(m);

	switch (item->section.text) {
	case IMAP_TEXT_HEADER:
		out->end = head.len;
		out->size = crlf_size(head, '\0');
		return 1;
	case IMAP_TEXT_TEXT:
		out->start = head.len;
		out->size = m->content.vsize - crlf_size(head, '\0');
		return 1;
	default:
		if (mime_parse(head, &limits, &m->arena, &root) < 0)
			return err_set(e, ERR_TEMP, "message %u: the header needs too much memory",
			        (unsigned)m->uid);
		return by_parser(m, head, root, item, out, e);
	}
}

static void name_of(const struct imap_fetch_item *item, struct buf *out)
{
	struct imap_fetch_item whole = *item;

	whole.section.has_partial = false;
	imap_fetch_name(out, &whole);
}

/* The section that was sent last, again: no need to read and parse the whole message. */
static bool recall(struct imap_session *s, const struct imap_mail *m,
        const struct imap_fetch_item *item, struct imap_piece *out)
{
	struct imap_section_memory *mem = &s->memory;
	struct buf name;

	if (mem->uid != m->uid || mem->name.len == 0)
		return false;
	buf_init(&name, mem->name.max);
	name_of(item, &name);
	bool same = !name.overflow && sv_eq(buf_sv(&name), buf_sv(&mem->name));

	buf_free(&name);
	if (same)
		*out = (struct imap_piece){
			.start = mem->start, .end = mem->end, .size = mem->size
		};
	return same;
}

static void remember(struct imap_session *s, const struct imap_mail *m,
        const struct imap_fetch_item *item, const struct imap_piece *p)
{
	struct imap_section_memory *mem = &s->memory;

	buf_reset(&mem->name);
	if (p->nil || p->composed)
		return;
	name_of(item, &mem->name);
	if (mem->name.overflow)
		buf_reset(&mem->name);
	mem->uid = m->uid;
	mem->start = p->start;
	mem->end = p->end;
	mem->size = p->size;
	mem->at_wire = 0;
	mem->at_file = p->start;
}

int imapd_section_find(struct imap_session *s, struct imap_mail *m,
        const struct imap_fetch_item *item, struct imap_piece *out, struct err *e)
{
	if (recall(s, m, item, out))
		return 1;
	int rc;

	if (item->section.nparts == 0)
		rc = top_level(m, item, out, e);
	else if ((rc = imapd_mail_need_tree(m, e)) == 1)
		rc = by_parser(m, imapd_mail_text(m), m->root, item, out, e);
	if (rc == 1)
		remember(s, m, item, out);
	return rc;
}

/* Part [from, from+n) of the octets on the wire. */
struct window {
	uint64_t from, n, sent;
	uint64_t at; /* wire position of what comes next */
};

/* CHUNK stands at w->at: send what of it is in the window. False: the connection is gone. */
static bool send_chunk(struct imap_session *s, struct window *w, struct buf *chunk)
{
	uint64_t end = w->at + chunk->len;

	if (end > w->from && w->sent < w->n) {
		size_t skip = w->at < w->from ? (size_t)(w->from - w->at) : 0;
		size_t n = chunk->len - skip;

		if (n > w->n - w->sent)
			n = (size_t)(w->n - w->sent);
		/* a literal cannot hold NUL (RFC 3501 9, CHAR8) */
		for (char *p = chunk->p + skip;
		        (p = memchr(p, '\0', (size_t)(chunk->p + skip + n - p)));)
			*p = (char)0x80;
		if (stream_write(s->io, chunk->p + skip, n) != 1)
			return false;
		w->sent += n;
	}
	w->at = end;
	return true;
}

static bool send_file(struct imap_session *s, struct imap_mail *m, const struct imap_piece *p,
        struct window *w, struct err *e)
{
	struct imap_section_memory *mem = &s->memory;
	/* other sections of the same FETCH may have been looked up since */
	bool ours = mem->uid == m->uid && mem->name.len > 0 && mem->start == p->start &&
	            mem->end == p->end;
	bool known = ours && mem->at_wire <= w->from;
	uint64_t off = known ? mem->at_file : p->start;
	char *block = mem_alloc(BLOCK);
	struct crlf conv;
	struct buf chunk;
	bool ok = true;

	crlf_init(&conv, false, false);
	buf_init(&chunk, 2 * BLOCK + 2);
	w->at = known ? mem->at_wire : 0;
	while (ok && off < p->end && w->sent < w->n) {
		size_t n = p->end - off < BLOCK ? (size_t)(p->end - off) : BLOCK;

		buf_reset(&chunk);
		if (imapd_mail_read(m, block, n, off, e) < 0) {
			ok = false;
			break;
		}
		uint64_t before = w->at;

		ok = crlf_put(&conv, sv_n(block, n), &chunk) == 0 && send_chunk(s, w, &chunk);
		/* the next piece usually starts where this one ends: inside the last block. A block
		 * after a CR is no place to start from: its first LF needs none. */
		if (ok && ours && !conv.cr && w->sent < w->n) {
			mem->at_wire = w->at;
			mem->at_file = off + n;
		} else if (ok && ours && off == p->start) {
			mem->at_wire = before;
			mem->at_file = off;
		}
		off += n;
	}
	buf_free(&chunk);
	free(block);
	return ok;
}

static bool send_text(struct imap_session *s, const struct imap_piece *p, struct window *w)
{
	struct crlf conv;
	struct buf chunk;

	crlf_init(&conv, false, false);
	buf_init(&chunk, 2 * p->text.len + 2);
	bool ok = crlf_put(&conv, p->text, &chunk) == 0 && send_chunk(s, w, &chunk);

	buf_free(&chunk);
	return ok;
}

bool imapd_section_send(struct imap_session *s, struct imap_mail *m,
        const struct imap_fetch_item *item, const struct imap_piece *p)
{
	struct window w = { .n = p->size };
	struct err e = ERR_INIT;

	imap_fetch_name(&s->out, item);
	if (p->nil) {
		buf_puts(&s->out, " NIL");
		return true;
	}
	if (item->section.has_partial) {
		w.from = item->section.start < p->size ? item->section.start : p->size;
		w.n = p->size - w.from;
		if (w.n > item->section.length)
			w.n = item->section.length;
	}
	buf_putc(&s->out, ' ');
	imap_put_literal_head(&s->out, w.n);
	imapd_send_out(s);
	if (s->done)
		return false;
	bool ok = p->composed ? send_text(s, p, &w) : send_file(s, m, p, &w, &e);

	if (ok && w.sent == w.n)
		return true;
	/* the client was promised more octets: nothing else can be said on this connection */
	if (e.cls != ERR_NONE || ok)
		log_error("imap(%s): message %u broken off after %llu of %llu octets: %s", s->user,
		        (unsigned)m->uid, (unsigned long long)w.sent, (unsigned long long)w.n,
		        e.cls != ERR_NONE ? e.text : "its size is not what the index says");
	s->done = true;
	s->why = "Message broken off";
	return false;
}
