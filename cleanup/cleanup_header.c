/*
 * cleanup/cleanup_header.c - header fields: dropped, rewritten, counted; at the end what is missing.
 *
 * Standards: RFC 5322 3.6 (Date and From are required), 3.6.6 (Resent- fields describe another sender, so
 *            that what is missing is missing there), RFC 5321 4.4 (Return-Path is not for the way in),
 *            6.3 (loops: Received fields are counted).
 */
#include <time.h>

#include "cleanup/cleanup.h"
#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"
#include "lib/mail/date.h"
#include "lib/sys/log.h"

static bool is_dropped(const struct cleanup *c, struct sv name)
{
	struct sv rest = sv_z(c->p.message_drop_headers);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && !ascii_is_blank(rest.p[n]) && rest.p[n] != ',')
			n++;
		if (n > 0 && sv_ieq(sv_upto(rest, n), name))
			return true;
		rest = sv_from(rest, n + 1);
	}
	return false;
}

static int note_message_id(struct cleanup_mail *m, enum header_id id, struct sv body)
{
	bool resent = id == HDR_RESENT_MESSAGE_ID;
	buf_reset(&m->scratch);
	if (header_unfold(&m->scratch, body) < 0)
		return 0;
	struct sv value = sv_trim(buf_sv(&m->scratch));
	log_info("%s: %smessage-id=%.*s", m->w.h.id, resent ? "resent-" : "", SV_ARG(sv_upto(value, 1000)));
	if (!resent && m->message_id.len == 0)
		m->message_id = arena_sv(&m->arena, sv_upto(value, 1000));
	return m->message_id.p ? 0 : cleanup_fail_memory(m);
}

/* New spec of each mailbox of L in REPL, where it differs. 1 some differ, 0 none, -1 failed. */
static int rewrite_items(struct cleanup_mail *m, const struct addr_list *l, unsigned cls, struct sv *repl)
{
	struct sv *addrs = arena_array(&m->arena, l->count, sizeof(*addrs));
	int changed = 0;
	if (!addrs)
		return cleanup_fail_memory(m);
	for (size_t i = 0; i < l->count; i++)
		addrs[i] = l->items[i].kind == ADDR_ITEM_MAILBOX ? l->items[i].internal : SV_NONE;
	if (cleanup_addr_rewrite(m, m->context, addrs, l->count) < 0)
		return -1;
	for (size_t i = 0; i < l->count; i++) {
		if (l->items[i].kind != ADDR_ITEM_MAILBOX || addrs[i].len == 0)
			continue;
		if (cleanup_addr_canonical(m, cls, &addrs[i]) < 0)
			return -1;
		if (sv_eq(addrs[i], l->items[i].internal))
			continue;
		buf_reset(&m->scratch);
		if (addr_quote(&m->scratch, addrs[i]) < 0)
			continue; /* longer than any header: left as it stands */
		repl[i] = arena_sv(&m->arena, buf_sv(&m->scratch));
		if (!repl[i].p)
			return cleanup_fail_memory(m);
		changed = 1;
	}
	return changed;
}

/* Put RAW with the addresses in BODY (a part of it) rewritten. */
static int put_rewritten(struct cleanup_mail *m, struct sv raw, struct sv body, unsigned cls)
{
	struct addr_list l;
	size_t tokens = (size_t)m->c->p.header_address_token_limit;
	if (addr_list_parse(body, tokens, &m->arena, &l) < 0)
		return cleanup_fail_memory(m);
	if (l.count == 0)
		return cleanup_put(m, raw);
	struct sv *repl = arena_array(&m->arena, l.count, sizeof(*repl));
	if (!repl)
		return cleanup_fail_memory(m);
	int rc = rewrite_items(m, &l, cls, repl);
	if (rc <= 0)
		return rc < 0 ? -1 : cleanup_put(m, raw);
	buf_reset(&m->scratch);
	struct sv head = sv_upto(raw, (size_t)(body.p - raw.p));
	if (buf_put_sv(&m->scratch, head) < 0 || addr_list_write(&m->scratch, body, &l, repl) < 0 ||
		buf_putc(&m->scratch, '\n') < 0)
		return cleanup_put(m, raw); /* would pass the ceiling: unchanged rather than cut */
	return cleanup_put(m, buf_sv(&m->scratch));
}

int cleanup_header_field(struct cleanup_mail *m, struct sv raw)
{
	struct sv name, body;
	if (m->verdict.status != CLEANUP_COMMITTED)
		return -1;
	if (++m->fields > (unsigned)m->c->p.header_count_limit)
		return cleanup_fail(m, CLEANUP_PERM, 554, "5.6.0", "Error: too many header fields");
	if (header_line(raw, &name, &body) != 1)
		return cleanup_put(m, raw);
	enum header_id id = header_id_of(name);
	unsigned classes = header_classes(id);
	bool mask = m->o.flags & CLEANUP_FLAG_MASK_HEADERS;
	m->seen |= (uint64_t)1 << id;
	if (classes & HDRC_RESENT)
		m->resent = true;
	if (id == HDR_RECEIVED && ++m->hops >= (unsigned)m->c->p.hopcount_limit)
		return cleanup_fail(m, CLEANUP_PERM, 554, "5.4.0", "Error: too many hops");
	if ((id == HDR_MESSAGE_ID || id == HDR_RESENT_MESSAGE_ID) && note_message_id(m, id, body) < 0)
		return -1;
	if (!mask && is_dropped(m->c, name))
		return 0;
	if (m->context && (classes & HDRC_SENDER))
		return put_rewritten(m, raw, body, CLASS_HDR_SENDER);
	if (m->context && (classes & HDRC_RECIP))
		return put_rewritten(m, raw, body, CLASS_HDR_RCPT);
	return cleanup_put(m, raw);
}

/* --- what is missing -------------------------------------------------------------------------------- */

static bool seen(const struct cleanup_mail *m, enum header_id plain, enum header_id resent)
{
	return m->seen & (uint64_t)1 << (m->resent ? resent : plain);
}

static int put_scratch(struct cleanup_mail *m)
{
	return m->scratch.overflow ? cleanup_fail_memory(m) : cleanup_put(m, buf_sv(&m->scratch));
}

static int add_message_id(struct cleanup_mail *m)
{
	const char *host = m->c->core.myhostname, *re = m->resent ? "resent-" : "";
	buf_reset(&m->scratch);
	buf_printf(&m->scratch, "%sMessage-Id: <%s@%s>\n", m->resent ? "Resent-" : "", m->w.h.id, host);
	log_info("%s: %smessage-id=<%s@%s>", m->w.h.id, re, m->w.h.id, host);
	if (!m->resent)
		m->message_id = sv_z(arena_printf(&m->arena, "<%s@%s>", m->w.h.id, host));
	return put_scratch(m);
}

static int add_date(struct cleanup_mail *m)
{
	time_t t = (time_t)(m->w.h.arrival_us / 1000000);
	struct tm tm;
	localtime_r(&t, &tm);
	buf_reset(&m->scratch);
	buf_puts(&m->scratch, m->resent ? "Resent-Date: " : "Date: ");
	date_format_zone(&m->scratch, t, (int)(tm.tm_gmtoff / 60), tm.tm_zone);
	buf_putc(&m->scratch, '\n');
	return put_scratch(m);
}

/* "From: Full Name <user@domain>" of the envelope's sender. */
static int add_from(struct cleanup_mail *m)
{
	struct sv sender = m->o.sender.len > 0 ? m->o.sender : SV("MAILER-DAEMON");
	if (cleanup_addr_rewrite(m, "local", &sender, 1) < 0 ||
		cleanup_addr_canonical(m, CLASS_HDR_SENDER, &sender) < 0)
		return -1;
	buf_reset(&m->scratch);
	buf_puts(&m->scratch, m->resent ? "Resent-From: " : "From: ");
	if (m->o.full_name.len > 0) {
		addr_phrase(&m->scratch, m->o.full_name);
		buf_puts(&m->scratch, " <");
		addr_quote(&m->scratch, sender);
		buf_putc(&m->scratch, '>');
	} else {
		addr_quote(&m->scratch, sender);
	}
	buf_putc(&m->scratch, '\n');
	return put_scratch(m);
}

/* A mail without any visible recipient gets undisclosed_recipients_header, when that is set. */
static int add_undisclosed(struct cleanup_mail *m)
{
	static const uint64_t visible = (uint64_t)1 << HDR_TO | (uint64_t)1 << HDR_CC |
		(uint64_t)1 << HDR_RESENT_TO | (uint64_t)1 << HDR_RESENT_CC;
	struct sv text = sv_trim(sv_z(m->c->p.undisclosed_recipients_header)), name, body;
	if ((m->seen & visible) || text.len == 0 || (m->o.flags & CLEANUP_FLAG_MASK_HEADERS))
		return 0;
	if (header_line(text, &name, &body) != 1) {
		log_warn("undisclosed_recipients_header: \"%.*s\" is not a header: ignored", SV_ARG(text));
		return 0;
	}
	buf_reset(&m->scratch);
	buf_put_sv(&m->scratch, text);
	buf_putc(&m->scratch, '\n');
	return put_scratch(m);
}

int cleanup_header_done(struct cleanup_mail *m)
{
	if (m->verdict.status != CLEANUP_COMMITTED)
		return -1;
	if (m->add_missing && !seen(m, HDR_MESSAGE_ID, HDR_RESENT_MESSAGE_ID) && add_message_id(m) < 0)
		return -1;
	if (m->message_id.len == 0)
		log_info("%s: message-id=<>", m->w.h.id);
	if (m->add_missing && !seen(m, HDR_DATE, HDR_RESENT_DATE) && add_date(m) < 0)
		return -1;
	if (m->add_missing && !seen(m, HDR_FROM, HDR_RESENT_FROM) && add_from(m) < 0)
		return -1;
	return add_undisclosed(m);
}
