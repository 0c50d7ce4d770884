/* SEARCH and UID SEARCH (RFC 3501 6.4.4, 7.2.5) */
#include "imapd/imapd_match.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define LOOK_MS 5    /* of work, then others run and the client is looked for */
#define SLICE   1024 /* messages whose sizes and dates are learnt in one step */

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

struct search {
	struct imap_session *s;
	const struct imap_search_key *root;
	struct imap_mail mail;
	int64_t look_ms; /* when others run next */
	bool begun;      /* a part of the line "* SEARCH" is with the client */
};

/* Let others run, and go on only as long as somebody waits for the result. */
static bool go_on(struct search *q, size_t at)
{
	struct imap_session *s = q->s;

	if (clock_mono_ms() < q->look_ms)
		return true;
	(void)fiber_yield();
	q->look_ms = clock_mono_ms() + LOOK_MS;
	if (imapd_client_waits(s, !q->begun))
		return true;
	log_info("imap(%s): SEARCH given up at message %zu of %zu: nobody waits for it", s->user, at,
	        store_box_count(s->view.box));
	return false;
}

/* Sizes and dates, where a key compares them. 1, 0 nobody waits, -1. */
static int learn(struct search *q, struct err *e)
{
	struct store_box *box = q->s->view.box;
	size_t count = store_box_count(box), v[SLICE];
	bool sizes = false, dates = false;

	needs(q->root, &sizes, &dates);
	for (size_t at = 0; at < count && (sizes || dates); at += SLICE) {
		size_t n = count - at < SLICE ? count - at : SLICE;

		for (size_t i = 0; i < n; i++)
			v[i] = at + i;
		if ((sizes && store_box_sizes(box, v, n, e) < 0) ||
		        (dates && store_box_dates(box, v, n, e) < 0))
			return -1;
		if (!go_on(q, at))
			return 0;
	}
	return 1;
}

/* The line "* SEARCH ..." without its end. 1, 0 nobody waits, -1. */
static int find(struct search *q, struct err *e)
{
	struct imap_session *s = q->s;
	size_t count = store_box_count(s->view.box);

	for (size_t i = 0; i < count; i++) {
		int rc = imapd_match(s, &q->mail, i, q->root, e);

		if (rc < 0)
			return -1;
		if (rc == 1)
			buf_printf(&s->out, " %u",
			        s->cmd.uid ? (unsigned)store_box_msg(s->view.box, i)->uid
			                   : (unsigned)i + 1);
		if (s->out.len > s->out.max / 2) {
			imapd_send_out(s);
			q->begun = true;
		}
		if (!go_on(q, i + 1))
			return 0;
	}
	return 1;
}

static int run(struct imap_session *s, const struct imap_search_key *root, struct err *e)
{
	struct search q = { .s = s, .root = root, .look_ms = clock_mono_ms() + LOOK_MS };
	int rc = learn(&q, e);

	if (rc != 1)
		return rc;
	imapd_mail_init(&q.mail);
	buf_reset(&s->out);
	buf_puts(&s->out, "* SEARCH");
	rc = find(&q, e);
	imapd_mail_fini(&q.mail);
	if (s->done)
		return 0;
	/* the line has to be ended even when the answer is NO */
	buf_puts(&s->out, "\r\n");
	imapd_send_out(s);
	return rc;
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
