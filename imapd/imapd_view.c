/*
 * The selected mailbox as the client sees it. The client's view and store's view change at the same
 * moments: in imapd_sync() only.
 */
#include <string.h>

#include "imapd/imapd.h"
#include "lib/base/num.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/wire/imap_utf7.h"
#include "lib/wire/imap_write.h"

static const struct {
	unsigned imap, store;
	const char *name;
} flags[] = {
	{ IMAP_ANSWERED, STORE_ANSWERED, "\\Answered" },
	{ IMAP_FLAGGED, STORE_FLAGGED, "\\Flagged" },
	{ IMAP_DELETED, STORE_DELETED, "\\Deleted" },
	{ IMAP_SEEN, STORE_SEEN, "\\Seen" },
	{ IMAP_DRAFT, STORE_DRAFT, "\\Draft" },
};

unsigned imapd_store_flags(unsigned imap_flags)
{
	unsigned out = 0;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (imap_flags & flags[i].imap)
			out |= flags[i].store;
	return out;
}

void imapd_view_close(struct imap_session *s)
{
	store_box_close(s->view.box);
	s->view.box = NULL;
	s->view.read_only = false;
	s->view.flags_told = 0;
	buf_reset(&s->memory.name);
}

static void put_known_flags(struct imap_session *s, bool permanent)
{
	struct store_box *box = s->view.box;

	buf_putc(&s->out, '(');
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		buf_printf(&s->out, "%s%s", i ? " " : "", flags[i].name);
	for (size_t i = 0; i < store_box_keyword_count(box); i++)
		if (!sv_empty(store_box_keyword(box, i)))
			buf_printf(&s->out, " %.*s", SV_ARG(store_box_keyword(box, i)));
	if (permanent && store_box_keyword_count(box) < STORE_KEYWORDS_MAX)
		buf_puts(&s->out, " \\*");
	buf_putc(&s->out, ')');
}

void imapd_put_flags_seen(struct imap_session *s, bool force)
{
	buf_reset(&s->out);
	buf_puts(&s->out, "* FLAGS ");
	put_known_flags(s, false);
	/* said once is enough: the store reports keywords that our own STORE brought, too */
	uint32_t sum = num_crc32c(0, s->out.p, s->out.len);

	if (!force && sum == s->view.flags_told) {
		buf_reset(&s->out);
		return;
	}
	s->view.flags_told = sum;
	buf_puts(&s->out, "\r\n* OK [PERMANENTFLAGS ");
	if (s->view.read_only)
		buf_puts(&s->out, "()");
	else
		put_known_flags(s, true);
	buf_puts(&s->out,
	        s->view.read_only ? "] No flags can be kept.\r\n" : "] Flags that are kept.\r\n");
	imapd_send_out(s);
}

void imapd_flag_list(struct imap_session *s, struct buf *out, const struct store_msg *m)
{
	const char *gap = "";

	buf_putc(out, '(');
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (m->flags & flags[i].store) {
			buf_printf(out, "%s%s", gap, flags[i].name);
			gap = " ";
		}
	for (size_t i = 0; m->keywords >> i && i < STORE_KEYWORDS_MAX; i++)
		if ((m->keywords >> i) & 1 && !sv_empty(store_box_keyword(s->view.box, i))) {
			buf_printf(out, "%s%.*s", gap, SV_ARG(store_box_keyword(s->view.box, i)));
			gap = " ";
		}
	if (m->recent)
		buf_printf(out, "%s\\Recent", gap);
	buf_putc(out, ')');
}

void imapd_put_flags(struct imap_session *s, size_t index, bool with_uid)
{
	const struct store_msg *m = store_box_msg(s->view.box, index);

	buf_reset(&s->out);
	buf_printf(&s->out, "* %zu FETCH (", index + 1);
	if (with_uid)
		buf_printf(&s->out, "UID %u ", (unsigned)m->uid);
	buf_puts(&s->out, "FLAGS ");
	imapd_flag_list(s, &s->out, m);
	buf_puts(&s->out, ")\r\n");
	imapd_send_out(s);
}

bool imapd_may_expunge(const struct imap_session *s)
{
	/* RFC 3501 7.4.1: sequence numbers must not move under these; their UID forms use none */
	if (s->cmd.uid)
		return true;
	return s->cmd.verb != IMAP_FETCH && s->cmd.verb != IMAP_STORE && s->cmd.verb != IMAP_SEARCH;
}

static void report(struct imap_session *s, const struct store_event *ev)
{
	switch (ev->kind) {
	case STORE_EV_EXPUNGE: stream_printf(s->io, "* %u EXPUNGE\r\n", (unsigned)ev->seq); break;
	case STORE_EV_EXISTS: stream_printf(s->io, "* %u EXISTS\r\n", (unsigned)ev->seq); break;
	case STORE_EV_RECENT: stream_printf(s->io, "* %u RECENT\r\n", (unsigned)ev->seq); break;
	case STORE_EV_KEYWORDS: imapd_put_flags_seen(s, false); break;
	case STORE_EV_FLAGS:
		if (ev->seq >= 1 && ev->seq <= store_box_count(s->view.box))
			imapd_put_flags(s, ev->seq - 1, s->cmd.uid);
		break;
	case STORE_EV_LOST:
		imapd_view_close(s);
		imapd_bye(s, "The selected mailbox was deleted or replaced.", "Mailbox lost");
		break;
	}
}

bool imapd_sync(struct imap_session *s, bool may_expunge)
{
	struct store_events *ev = &s->view.events;
	struct err e = ERR_INIT;

	if (s->done || !s->view.box)
		return !s->done;
	ev->n = 0;
	if (store_box_refresh(s->view.box, may_expunge, ev, &e) < 0) {
		/* the old view stays good: the client learns of changes later */
		log_warn("imap(%s): looking for changes: %s", s->user, e.text);
		return true;
	}
	for (size_t i = 0; i < ev->n && !s->done; i++)
		report(s, &ev->v[i]);
	return !s->done;
}

bool imapd_need_writable(struct imap_session *s)
{
	if (s->view.read_only)
		imapd_no(s, "[READ-ONLY] The mailbox is selected read-only.");
	return !s->view.read_only;
}

/* Add the messages of one range. */
static int add_range(struct imap_session *s, uint32_t lo, uint32_t hi, struct imap_indexes *out)
{
	struct store_box *box = s->view.box;
	size_t count = store_box_count(box), from, to;

	if (s->cmd.uid) {
		store_box_find(box, lo, &from);
		to = store_box_find(box, hi, &to) ? to + 1 : to;
	} else {
		if (lo == 0 || hi > count) {
			imapd_bad(s, "There is no message with that number.");
			return -1;
		}
		from = lo - 1;
		to = hi;
	}
	for (size_t i = from; i < to && i < count; i++)
		out->v[out->n++] = i;
	return 1;
}

int imapd_indexes(struct imap_session *s, struct imap_seqset *set, struct imap_indexes *out)
{
	struct store_box *box = s->view.box;
	size_t count = store_box_count(box);
	uint32_t last = count ? store_box_msg(box, count - 1)->uid : 0;

	imap_seqset_resolve(set, s->cmd.uid ? last : (uint32_t)count);
	out->n = 0;
	out->v = arena_array(&s->arena, count ? count : 1, sizeof(*out->v));
	if (!out->v) {
		imapd_exhausted(s);
		return -1;
	}
	/* the ranges are merged: no index comes twice, none is beyond the array */
	for (size_t i = 0; i < set->count; i++)
		if (add_range(s, set->r[i].lo, set->r[i].hi, out) < 0)
			return -1;
	return 1;
}

/* One spelling only: what decodes alike must be the same mailbox, and INBOX has no case, nor has it
 * as the first level of a name. */
int imapd_spell(struct imap_session *s, struct sv utf8, struct sv *name)
{
	struct buf b;

	*name = SV_NONE;
	buf_init(&b, 8 * STORE_NAME_MAX);
	int rc = utf8.len <= STORE_NAME_MAX ? imap_utf7_encode(&b, utf8) : -1;

	if (rc >= 0) {
		struct sv rest = buf_sv(&b);

		if (store_name_is_inbox(sv_take_until(&rest, STORE_SEPARATOR)))
			memcpy(b.p, "INBOX", 5);
		*name = arena_sv(&s->arena, buf_sv(&b));
	}
	buf_free(&b);
	return rc < 0 ? -1 : 1;
}

int imapd_mailbox_arg(struct imap_session *s, struct sv *name)
{
	struct sv utf8;

	if (imap_mailbox(&s->parse, &utf8) != 1) {
		imapd_syntax(s);
		return -1;
	}
	if (imapd_spell(s, utf8, name) < 0) {
		imapd_no(s, "[CANNOT] This name is too long or not valid.");
		return -1;
	}
	if (!name->p) {
		imapd_exhausted(s);
		return -1;
	}
	return 1;
}

int imapd_only_mailbox(struct imap_session *s, struct sv *name)
{
	if (imap_sp(&s->parse) != 1) {
		imapd_syntax(s);
		return -1;
	}
	if (imapd_mailbox_arg(s, name) < 0)
		return -1;
	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return -1;
	}
	return 1;
}
