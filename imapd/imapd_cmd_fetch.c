/*
 * FETCH and UID FETCH (RFC 3501 6.4.5, 7.4.2).
 *
 * Messages are taken in slices: sizes and cached parts of a slice come in one step each. An answer
 * is begun only when everything it will hold is there, so that a vanished message leaves no half
 * line.
 */
#include "imapd/imapd_mail.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "lib/sys/log.h"

#define SLICE      64
#define FIELDS     3           /* that are cached */
#define CACHED_MAX (32u << 20) /* of a slice */
#define VALUE_MAX  (16u << 20) /* one ENVELOPE or BODYSTRUCTURE */

struct fetch {
	struct imap_session *s;
	struct imap_fetch items;
	bool needs_size;
	bool needs_date;
	bool needs_content; /* some item cannot be answered from metadata or cache */
	bool wants_flags;
	bool wants_uid;
	unsigned nfields;
	enum store_cache_field fields[FIELDS];
	struct store_cache_item cached[SLICE * FIELDS];
	struct store_cache_item made[SLICE * FIELDS]; /* by us, to be cached */
	size_t nmade;
	struct arena arena; /* of the cached values */
	struct imap_mail mail;
	struct buf value[FIELDS];  /* of the message at hand */
	struct imap_piece *pieces; /* one an item */
	bool missed;               /* a message was gone */
	bool failed;               /* one is there, but could not be read */
};

static void want_field(struct fetch *f, enum store_cache_field field)
{
	for (unsigned i = 0; i < f->nfields; i++)
		if (f->fields[i] == field)
			return;
	f->fields[f->nfields++] = field;
}

/* Sort out what the items need. False: one of them is not supported. */
static bool plan(struct fetch *f)
{
	for (size_t i = 0; i < f->items.count; i++) {
		switch (f->items.items[i].kind) {
		case IMAP_FETCH_UID: f->wants_uid = true; break;
		case IMAP_FETCH_FLAGS: f->wants_flags = true; break;
		case IMAP_FETCH_INTERNALDATE: f->needs_date = true; break;
		case IMAP_FETCH_RFC822_SIZE: f->needs_size = true; break;
		case IMAP_FETCH_ENVELOPE: want_field(f, STORE_CACHE_ENVELOPE); break;
		case IMAP_FETCH_BODY: want_field(f, STORE_CACHE_BODY); break;
		case IMAP_FETCH_BODYSTRUCTURE: want_field(f, STORE_CACHE_BODYSTRUCTURE); break;
		case IMAP_FETCH_SECTION:
		case IMAP_FETCH_RFC822:
		case IMAP_FETCH_RFC822_HEADER:
		case IMAP_FETCH_RFC822_TEXT: f->needs_content = true; break;
		default: return false;
		}
	}
	return true;
}

/* --- a slice ---------------------------------------------------------------------------------- */

/* A part that is not cached, or that cannot be had now, is made from the message. */
static void look_up_cache(struct fetch *f, const size_t *v, size_t n)
{
	struct err e = ERR_INIT;

	arena_reset(&f->arena);
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < f->nfields; k++)
			f->cached[i * f->nfields + k] =
			        (struct store_cache_item){ .index = v[i], .field = f->fields[k] };
	if (f->nfields == 0 ||
	        store_cache_get(f->s->view.box, f->cached, n * f->nfields, &f->arena, &e) == 1)
		return;
	log_warn("imap(%s): cache not read: %s", f->s->user, e.text);
	for (size_t i = 0; i < n * f->nfields; i++)
		f->cached[i].value = (struct sv){ NULL, 0 };
}

static int look_up_dates(struct fetch *f, const size_t *v, size_t n, struct err *e)
{
	bool known = true;

	for (size_t i = 0; i < n; i++)
		known = known && store_box_msg(f->s->view.box, v[i])->internaldate != 0;
	return known ? 1 : store_box_dates(f->s->view.box, v, n, e);
}

static int look_up_sizes(struct fetch *f, const size_t *v, size_t n, struct err *e)
{
	bool known = true;

	for (size_t i = 0; i < n; i++)
		known = known && store_box_msg(f->s->view.box, v[i])->vsize != 0;
	return known ? 1 : store_box_sizes(f->s->view.box, v, n, e);
}

/* --- one message --------------------------------------------------------------------------------
 */

static int make_value(struct fetch *f, enum store_cache_field field, struct buf *out, struct err *e)
{
	struct imap_mail *m = &f->mail;
	int rc;

	if (field == STORE_CACHE_ENVELOPE) {
		if (imapd_mail_need_head(m, e) < 0)
			return -1;
		rc = imap_put_envelope(out, imapd_mail_head(m), &m->arena);
	} else {
		if (imapd_mail_need_tree(m, e) < 0)
			return -1;
		rc = imap_put_structure(out, imapd_mail_text(m), m->root,
		        field == STORE_CACHE_BODYSTRUCTURE, &m->arena);
	}
	return rc < 0 ? err_set(e, ERR_TEMP, "message %u: its description is too large",
	                        (unsigned)m->uid)
	              : 1;
}

/* To be put into the cache with the others of the slice; one step each would take a sync each. */
static void note_made(struct fetch *f, const struct store_cache_item *item, struct sv value)
{
	struct store_cache_item *made = &f->made[f->nmade];

	*made = *item;
	made->value = arena_sv(&f->arena, value);
	f->nmade += made->value.p != NULL;
}

/* Have f->value[] filled in, from the cache or from the message. 1, 0 gone, -1. */
static int values(struct fetch *f, size_t index, struct store_cache_item *cached, struct err *e)
{
	for (unsigned k = 0; k < f->nfields; k++) {
		struct buf *out = &f->value[k];

		buf_reset(out);
		if (cached[k].value.p) {
			if (buf_put_sv(out, cached[k].value) == 0)
				continue;
			buf_reset(out);
		}
		int rc = f->mail.open ? 1 : imapd_mail_open(&f->mail, f->s, index, e);

		if (rc == 1)
			rc = make_value(f, f->fields[k], out, e);
		if (rc != 1)
			return rc;
		if (out->len <= STORE_CACHE_VALUE_MAX)
			note_made(f, &cached[k], buf_sv(out));
	}
	return 1;
}

static bool is_section(const struct imap_fetch_item *item)
{
	return item->kind == IMAP_FETCH_SECTION || item->kind == IMAP_FETCH_RFC822 ||
	       item->kind == IMAP_FETCH_RFC822_HEADER || item->kind == IMAP_FETCH_RFC822_TEXT;
}

static int find_pieces(struct fetch *f, size_t index, struct err *e)
{
	int rc = f->mail.open ? 1 : imapd_mail_open(&f->mail, f->s, index, e);

	for (size_t i = 0; rc == 1 && i < f->items.count; i++)
		if (is_section(&f->items.items[i]))
			rc = imapd_section_find(
			        f->s, &f->mail, &f->items.items[i], &f->pieces[i], e);
	return rc;
}

/* \Seen for a message whose text is fetched; true when that changed something. */
static bool set_seen(struct fetch *f, size_t index)
{
	const struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_SEEN };
	struct imap_session *s = f->s;
	struct err e = ERR_INIT;

	if (!f->items.sets_seen || s->view.read_only ||
	        store_box_msg(s->view.box, index)->flags & STORE_SEEN)
		return false;
	int rc = store_box_flags(s->view.box, &index, 1, &seen, &e);

	if (rc < 0)
		log_warn("imap(%s): \\Seen not set: %s", s->user, e.text);
	return rc == 1;
}

static void put_internaldate(struct buf *out, const struct store_msg *m)
{
	buf_puts(out, "INTERNALDATE \"");
	date_imap_format(out, m->internaldate, 0);
	buf_putc(out, '"');
}

static void put_value(struct fetch *f, const char *name, enum store_cache_field field)
{
	buf_printf(&f->s->out, "%s ", name);
	imapd_send_out(f->s);
	for (unsigned k = 0; k < f->nfields; k++)
		if (f->fields[k] == field)
			stream_put_sv(f->s->io, buf_sv(&f->value[k]));
}

static bool put_item(struct fetch *f, size_t i, const struct store_msg *m)
{
	struct buf *out = &f->s->out;

	switch (f->items.items[i].kind) {
	case IMAP_FETCH_UID: buf_printf(out, "UID %u", (unsigned)m->uid); break;
	case IMAP_FETCH_FLAGS:
		buf_puts(out, "FLAGS ");
		imapd_flag_list(f->s, out, m);
		break;
	case IMAP_FETCH_INTERNALDATE: put_internaldate(out, m); break;
	case IMAP_FETCH_RFC822_SIZE:
		buf_printf(out, "RFC822.SIZE %llu", (unsigned long long)m->vsize);
		break;
	case IMAP_FETCH_ENVELOPE: put_value(f, "ENVELOPE", STORE_CACHE_ENVELOPE); break;
	case IMAP_FETCH_BODY: put_value(f, "BODY", STORE_CACHE_BODY); break;
	case IMAP_FETCH_BODYSTRUCTURE:
		put_value(f, "BODYSTRUCTURE", STORE_CACHE_BODYSTRUCTURE);
		break;
	default: return imapd_section_send(f->s, &f->mail, &f->items.items[i], &f->pieces[i]);
	}
	return true;
}

static void answer(struct fetch *f, size_t index)
{
	struct imap_session *s = f->s;
	const struct store_msg *m = store_box_msg(s->view.box, index);
	bool seen = set_seen(f, index);
	const char *gap = "";

	buf_reset(&s->out);
	buf_printf(&s->out, "* %zu FETCH (", index + 1);
	if (s->cmd.uid && !f->wants_uid) {
		buf_printf(&s->out, "UID %u", (unsigned)m->uid);
		gap = " ";
	}
	for (size_t i = 0; i < f->items.count; i++) {
		buf_puts(&s->out, gap);
		gap = " ";
		if (!put_item(f, i, m) || s->done)
			return;
	}
	if (seen && !f->wants_flags) {
		buf_puts(&s->out, " FLAGS ");
		imapd_flag_list(s, &s->out, m);
	}
	buf_puts(&s->out, ")\r\n");
	imapd_send_out(s);
	s->fetched++;
}

static void fetch_one(struct fetch *f, size_t index, struct store_cache_item *cached)
{
	struct err e = ERR_INIT;
	int rc = store_box_msg(f->s->view.box, index)->gone ? 0 : 1;

	if (rc == 1)
		rc = values(f, index, cached, &e);
	if (rc == 1 && f->needs_content)
		rc = find_pieces(f, index, &e);
	if (rc == 1) {
		answer(f, index);
	} else if (rc == 0) {
		f->missed = true;
	} else {
		f->failed = true;
		log_error("imap(%s): FETCH: %s", f->s->user, e.text);
	}
	imapd_mail_close(&f->mail);
}

static void fetch_all(struct fetch *f, const struct imap_indexes *idx)
{
	struct err e = ERR_INIT;

	for (size_t at = 0; at < idx->n && !f->s->done; at += SLICE) {
		size_t n = idx->n - at < SLICE ? idx->n - at : SLICE;

		if (f->needs_size && look_up_sizes(f, idx->v + at, n, &e) < 0)
			log_warn("imap(%s): sizes not known: %s", f->s->user, e.text);
		if (f->needs_date && look_up_dates(f, idx->v + at, n, &e) < 0)
			log_warn("imap(%s): dates not known: %s", f->s->user, e.text);
		look_up_cache(f, idx->v + at, n);
		f->nmade = 0;
		for (size_t i = 0; i < n && !f->s->done; i++)
			fetch_one(f, idx->v[at + i], &f->cached[i * f->nfields]);
		if (f->nmade > 0)
			store_cache_put(f->s->view.box, f->made, f->nmade);
		(void)fiber_yield();
		if (at + n < idx->n && !imapd_client_waits(f->s, true))
			log_info("imap(%s): FETCH given up at message %zu of %zu: nobody waits for it",
			        f->s->user, at + n, idx->n);
	}
}

static void run(struct fetch *f, struct imap_seqset *set)
{
	struct imap_session *s = f->s;
	struct imap_indexes idx;

	f->pieces = arena_array(&s->arena, f->items.count, sizeof(*f->pieces));
	if (!f->pieces) {
		imapd_exhausted(s);
		return;
	}
	if (imapd_indexes(s, set, &idx) < 0)
		return;
	arena_init(&f->arena, CACHED_MAX);
	imapd_mail_init(&f->mail);
	for (unsigned k = 0; k < FIELDS; k++)
		buf_init(&f->value[k], VALUE_MAX);
	fetch_all(f, &idx);
	for (unsigned k = 0; k < FIELDS; k++)
		buf_free(&f->value[k]);
	imapd_mail_fini(&f->mail);
	arena_free(&f->arena);
	if (s->done)
		return;
	/* with OK, who keeps a copy of the mailbox would take an unread message for an expunged one */
	if (f->failed)
		imapd_no(s, "[UNAVAILABLE] Some of the messages cannot be read now.");
	else if (f->missed && !s->cmd.uid)
		imapd_no(s, "[EXPUNGEISSUED] Some of the messages cannot be read any more.");
	else
		imapd_ok(s, "Fetch completed.");
}

void imapd_cmd_fetch(struct imap_session *s)
{
	struct imap_seqset set;
	struct fetch *f = arena_alloc(&s->arena, sizeof(*f));

	if (!f) {
		imapd_exhausted(s);
		return;
	}
	f->s = s;
	if (imap_sp(&s->parse) != 1 || imap_seqset_parse(&s->parse, &set) != 1 || set.saved ||
	        imap_sp(&s->parse) != 1 || imap_fetch_items(&s->parse, &f->items) != 1 ||
	        imap_end(&s->parse) != 1)
		imapd_syntax(s);
	else if (!plan(f))
		imapd_bad(s, "Unknown FETCH item.");
	else
		run(f, &set);
}
