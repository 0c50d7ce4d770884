/* SEARCH and UID SEARCH (RFC 3501 6.4.4, 7.2.5) */
#include "imapd/imapd_match.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define YIELD_EVERY 256

/* Does some key compare sizes; internal dates? The parser bounds the depth. */
static void needs(const struct imap_search_key *k, bool *sizes, bool *dates)
{
	for (; k; k = k->next) {
		*sizes = *sizes || k->kind == IMAP_S_LARGER || k->kind == IMAP_S_SMALLER;
		*dates = *dates || k->kind == IMAP_S_BEFORE || k->kind == IMAP_S_ON ||
		         k->kind == IMAP_S_SINCE;
		needs(k->child, sizes, dates);
	}
}

static bool known_charset(struct sv charset)
{
	return sv_empty(charset) || sv_ieqz(charset, "US-ASCII") || sv_ieqz(charset, "UTF-8");
}

/* The search goes on as long as somebody waits for its result. */
static bool client_left(struct imap_session *s)
{
	return s->done || stream_flush(s->io) != 1 || fiber_cancelled();
}

static int run(struct imap_session *s, const struct imap_search_key *root, struct err *e)
{
	size_t count = store_box_count(s->view.box);
	bool sizes = false, dates = false;
	struct imap_mail mail;
	int rc = 1;

	needs(root, &sizes, &dates);
	if ((sizes && store_box_sizes(s->view.box, NULL, 0, e) < 0) ||
	        (dates && store_box_dates(s->view.box, NULL, 0, e) < 0))
		return -1;
	imapd_mail_init(&mail);
	buf_reset(&s->out);
	buf_puts(&s->out, "* SEARCH");
	for (size_t i = 0; i < count && rc >= 0; i++) {
		rc = imapd_match(s, &mail, i, root, e);
		if (rc == 1)
			buf_printf(&s->out, " %u",
			        s->cmd.uid ? (unsigned)store_box_msg(s->view.box, i)->uid
			                   : (unsigned)i + 1);
		if (s->out.len > s->out.max / 2)
			imapd_send_out(s);
		if (i % YIELD_EVERY == YIELD_EVERY - 1) {
			fiber_yield();
			if (client_left(s))
				break;
		}
	}
	imapd_mail_fini(&mail);
	if (s->done)
		return 0;
	/* the line has to be ended even when the answer is NO */
	buf_puts(&s->out, "\r\n");
	imapd_send_out(s);
	return rc < 0 ? -1 : 1;
}

void imapd_cmd_search(struct imap_session *s)
{
	struct imap_search args;
	struct err e = ERR_INIT;

	if (imap_search_parse(&s->parse, &args) != 1 || imap_end(&s->parse) != 1 ||
	        args.has_return) {
		imapd_syntax(s);
		return;
	}
	if (!known_charset(args.charset)) {
		imapd_no(s, "[BADCHARSET (US-ASCII UTF-8)] Unknown charset.");
		return;
	}
	if (imapd_match_prepare(s, args.root, &e) < 0) {
		imapd_bad(s, e.text);
		return;
	}
	int rc = run(s, args.root, &e);

	if (s->done)
		return;
	if (rc < 0)
		imapd_failed(s, "SEARCH", &e);
	else
		imapd_ok(s, "Search completed.");
}
