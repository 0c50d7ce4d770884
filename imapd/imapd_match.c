#include "imapd/imapd_match.h"

#include "imapd/imapd_charset.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "lib/sys/clock.h"

#define DAY_S    86400
#define FOLD_MAX (1u << 20)

/* What is known of the message so far. */
enum depth { META, HEAD, WHOLE };
enum truth { NO = 0, YES = 1, UNKNOWN = 2 };

struct match {
	struct imap_session *s;
	struct imap_mail *mail;
	size_t index;
	const struct store_msg *msg;
	enum depth depth;
};

/* --- before the first message -------------------------------------------------------------------
 */

static int fold_text(struct imap_session *s, struct sv *text, struct err *e)
{
	struct buf b;

	buf_init(&b, FOLD_MAX);
	int rc = imapd_fold(&b, *text);

	if (rc == 0)
		*text = arena_sv(&s->arena, buf_sv(&b));
	buf_free(&b);
	return rc < 0 || !text->p ? err_set(e, ERR_PERM, "The search text is too long.") : 1;
}

static int prepare_key(struct imap_session *s, struct imap_search_key *k, struct err *e)
{
	size_t count = store_box_count(s->view.box);

	switch (k->kind) {
	case IMAP_S_HEADER:
	case IMAP_S_BODY:
	case IMAP_S_TEXT: return fold_text(s, &k->text, e);
	case IMAP_S_SEQ:
		imap_seqset_resolve(&k->set, (uint32_t)count);
		if (imap_seqset_last(&k->set) > count)
			return err_set(e, ERR_PERM, "There is no message with that number.");
		return 1;
	case IMAP_S_UID:
		imap_seqset_resolve(
		        &k->set, count ? store_box_msg(s->view.box, count - 1)->uid : 0);
		return 1;
	case IMAP_S_SAVEDBEFORE:
	case IMAP_S_SAVEDON:
	case IMAP_S_SAVEDSINCE:
	case IMAP_S_OLDER:
	case IMAP_S_YOUNGER:
	case IMAP_S_MODSEQ:
	case IMAP_S_EMAILID:
	case IMAP_S_THREADID: return err_set(e, ERR_PERM, "Unknown SEARCH key.");
	default: return 1;
	}
}

int imapd_match_prepare(struct imap_session *s, struct imap_search_key *root, struct err *e)
{
	/* the parser bounds the depth, and with it this recursion */
	for (struct imap_search_key *k = root; k; k = k->next)
		if (prepare_key(s, k, e) < 0 ||
		        (k->child && imapd_match_prepare(s, k->child, e) < 0))
			return -1;
	return 1;
}

/* --- one key ------------------------------------------------------------------------------------
 */

static enum truth of_bool(bool b)
{
	return b ? YES : NO;
}

static bool has_keyword(const struct match *m, struct sv name)
{
	for (size_t i = 0; i < store_box_keyword_count(m->s->view.box) && i < STORE_KEYWORDS_MAX;
	        i++)
		if (sv_ieq(store_box_keyword(m->s->view.box, i), name))
			return (m->msg->keywords >> i) & 1;
	return false;
}

static enum truth compare_day(enum imap_search_kind kind, int64_t have, int64_t want)
{
	switch (kind) {
	case IMAP_S_BEFORE:
	case IMAP_S_SENTBEFORE: return of_bool(have < want);
	case IMAP_S_ON:
	case IMAP_S_SENTON: return of_bool(have == want);
	default: return of_bool(have >= want);
	}
}

static enum truth sent_day(const struct match *m, const struct imap_search_key *k)
{
	struct header_field f;
	int64_t t;
	int tz;

	if (m->depth < HEAD)
		return UNKNOWN;
	if (header_find(imapd_mail_head(m->mail), SV("Date"), &f) != 1 ||
	        date_parse(f.body, &t, &tz) != 1)
		return NO;
	return compare_day(k->kind, date_day_of(t, tz), k->day);
}

static enum truth text_key(const struct match *m, const struct imap_search_key *k)
{
	struct sv head, text;

	if (m->depth < HEAD)
		return UNKNOWN;
	head = imapd_mail_head(m->mail);
	if (k->kind == IMAP_S_HEADER)
		return of_bool(imapd_text_in_field(head, k->field, k->text));
	if (k->kind == IMAP_S_TEXT && imapd_text_in_head(head, k->text))
		return YES;
	if (m->depth < WHOLE)
		return UNKNOWN;
	text = imapd_mail_text(m->mail);
	return of_bool(imapd_text_in_body(text, m->mail->root, k->text));
}

static enum truth leaf(const struct match *m, const struct imap_search_key *k)
{
	switch (k->kind) {
	case IMAP_S_ALL: return YES;
	case IMAP_S_FLAG: return of_bool(m->msg->flags & imapd_store_flags(k->flag));
	case IMAP_S_KEYWORD: return of_bool(has_keyword(m, k->text));
	case IMAP_S_NEW: return of_bool(m->msg->recent && !(m->msg->flags & STORE_SEEN));
	case IMAP_S_OLD: return of_bool(!m->msg->recent);
	case IMAP_S_RECENT: return of_bool(m->msg->recent);
	case IMAP_S_SEQ: return of_bool(imap_seqset_has(&k->set, (uint32_t)m->index + 1));
	case IMAP_S_UID: return of_bool(imap_seqset_has(&k->set, m->msg->uid));
	case IMAP_S_BEFORE:
	case IMAP_S_ON:
	case IMAP_S_SINCE:
		return compare_day(k->kind, date_day_of(m->msg->internaldate, 0), k->day);
	case IMAP_S_SENTBEFORE:
	case IMAP_S_SENTON:
	case IMAP_S_SENTSINCE: return sent_day(m, k);
	case IMAP_S_LARGER: return of_bool(m->msg->vsize > k->number);
	case IMAP_S_SMALLER: return of_bool(m->msg->vsize < k->number);
	default: return text_key(m, k);
	}
}

/* Recursion: the parser lets nothing nest deeper than IMAP_SEARCH_DEPTH_MAX. */
static enum truth evaluate(const struct match *m, const struct imap_search_key *k)
{
	enum truth all = k->kind == IMAP_S_OR ? NO : YES, t;

	switch (k->kind) {
	case IMAP_S_NOT: t = evaluate(m, k->child); return t == YES ? NO : t == NO ? YES : t;
	case IMAP_S_AND:
		for (const struct imap_search_key *c = k->child; c; c = c->next) {
			t = evaluate(m, c);
			if (t == NO)
				return NO;
			if (t == UNKNOWN)
				all = UNKNOWN;
		}
		return all;
	case IMAP_S_OR:
		for (const struct imap_search_key *c = k->child; c; c = c->next) {
			t = evaluate(m, c);
			if (t == YES)
				return YES;
			if (t == UNKNOWN)
				all = UNKNOWN;
		}
		return all;
	default: return leaf(m, k);
	}
}

int imapd_match(struct imap_session *s, struct imap_mail *mail, size_t index,
        const struct imap_search_key *root, struct err *e)
{
	struct match m = {
		.s = s,
		.mail = mail,
		.index = index,
		.msg = store_box_msg(s->view.box, index),
		.depth = META,
	};

	if (m.msg->gone)
		return 0;
	enum truth t = evaluate(&m, root);

	while (t == UNKNOWN) {
		int rc = mail->open ? 1 : imapd_mail_open(mail, s, index, e);

		if (rc == 1)
			rc = m.depth == META ? imapd_mail_need_head(mail, e)
			                     : imapd_mail_need_tree(mail, e);
		if (rc != 1) {
			imapd_mail_close(mail);
			return rc;
		}
		m.depth++;
		t = evaluate(&m, root);
		if (m.depth == WHOLE && t == UNKNOWN)
			t = NO;
	}
	imapd_mail_close(mail);
	return t == YES;
}
