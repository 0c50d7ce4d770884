/* Arguments of single commands: the second half of lib/wire/imap_parse.h. */
#include "lib/base/num.h"
#include "lib/mail/date.h"
#include "lib/wire/imap_parse.h"

static int bad(struct imap_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return -1;
}

int imap_date_time(struct imap_parser *p, int64_t *t, int *tz_min)
{
	struct sv s;
	if (!imap_peek(p, '"'))
		return bad(p, "expected a date");
	if (imap_string(p, &s) < 0)
		return -1;
	return date_imap_parse(s, t, tz_min) == 1 ? 1 : bad(p, "invalid date");
}

int imap_date(struct imap_parser *p, int64_t *days)
{
	struct sv s;
	int rc = imap_peek(p, '"') ? imap_string(p, &s) : imap_atom(p, &s);
	if (rc < 0)
		return -1;
	return date_imap_day_parse(s, days) == 1 ? 1 : bad(p, "invalid date");
}

int imap_status_items(struct imap_parser *p, unsigned *mask)
{
	static const struct {
		const char *word;
		unsigned bit;
	} items[] = {
		{ "MESSAGES", IMAP_STATUS_MESSAGES },
		{ "RECENT", IMAP_STATUS_RECENT },
		{ "UIDNEXT", IMAP_STATUS_UIDNEXT },
		{ "UIDVALIDITY", IMAP_STATUS_UIDVALIDITY },
		{ "UNSEEN", IMAP_STATUS_UNSEEN },
		{ "DELETED", IMAP_STATUS_DELETED },
		{ "SIZE", IMAP_STATUS_SIZE },
		{ "HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ },
		{ "MAILBOXID", IMAP_STATUS_MAILBOXID },
	};
	*mask = 0;
	if (!imap_accept(p, '('))
		return bad(p, "expected a list of status items");
	do {
		struct sv word;
		unsigned bit = 0;
		if (imap_atom(p, &word) < 0)
			return -1;
		for (size_t i = 0; i < ARRAY_LEN(items); i++)
			if (sv_ieqz(word, items[i].word))
				bit = items[i].bit;
		if (bit == 0)
			return bad(p, "unknown status item");
		*mask |= bit;
	} while (imap_accept(p, ' '));
	return imap_accept(p, ')') ? 1 : bad(p, "list without end");
}

int imap_store_args(struct imap_parser *p, struct imap_store *out)
{
	struct sv word;
	*out = (struct imap_store){ .op = IMAP_STORE_SET };
	if (imap_accept(p, '+'))
		out->op = IMAP_STORE_ADD;
	else if (imap_accept(p, '-'))
		out->op = IMAP_STORE_REMOVE;
	if (imap_atom(p, &word) < 0)
		return -1;
	out->silent = sv_ieqz(word, "FLAGS.SILENT");
	if (!out->silent && !sv_ieqz(word, "FLAGS"))
		return bad(p, "unknown STORE item");
	if (imap_sp(p) < 0)
		return -1;
	return imap_flag_list(p, true, &out->flags);
}

/* "{n}" or "~{n+}" with its line end, and nothing behind it: the octets are elsewhere. */
static int take_last_announcement(struct imap_parser *p, struct imap_append *out)
{
	out->literal8 = imap_accept(p, '~');
	if (!imap_accept(p, '{'))
		return bad(p, "expected a literal");
	if (imap_number64(p, &out->size) < 0)
		return -1;
	imap_accept(p, '+');
	/* imap_parser_init() has taken the CRLF off the end */
	return imap_accept(p, '}') ? imap_end(p) : bad(p, "malformed literal");
}

int imap_append_args(struct imap_parser *p, struct imap_append *out)
{
	*out = (struct imap_append){ .has_date = false };
	if (imap_sp(p) < 0 || imap_mailbox(p, &out->mailbox) < 0 || imap_sp(p) < 0)
		return -1;
	if (imap_peek(p, '(')) {
		if (imap_flag_list(p, false, &out->flags) < 0 || imap_sp(p) < 0)
			return -1;
	}
	if (imap_peek(p, '"')) {
		if (imap_date_time(p, &out->date, &out->tz_min) < 0 || imap_sp(p) < 0)
			return -1;
		out->has_date = true;
	}
	return take_last_announcement(p, out);
}
