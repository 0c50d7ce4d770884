/*
 * Keys are attached to the key that is open: a list (the root, or "(") takes any number, NOT one,
 * OR two. Open keys stand on a stack of fixed depth.
 */
#include "lib/wire/imap_search.h"

static int bad(struct imap_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return -1;
}

enum arg { NONE, HAS, LACKS, STRING, FIELD, HEADER, DATE, NUMBER, SECONDS, KEYWORD, NOT_KEYWORD,
	UIDS, ID, MODSEQ };

static const struct word {
	const char *name;
	enum imap_search_kind kind;
	enum arg arg;
	unsigned flag;
} words[] = {
	{ "ALL", IMAP_S_ALL, NONE, 0 },
	{ "ANSWERED", IMAP_S_FLAG, HAS, IMAP_ANSWERED },
	{ "BCC", IMAP_S_HEADER, FIELD, 0 },
	{ "BEFORE", IMAP_S_BEFORE, DATE, 0 },
	{ "BODY", IMAP_S_BODY, STRING, 0 },
	{ "CC", IMAP_S_HEADER, FIELD, 0 },
	{ "DELETED", IMAP_S_FLAG, HAS, IMAP_DELETED },
	{ "DRAFT", IMAP_S_FLAG, HAS, IMAP_DRAFT },
	{ "EMAILID", IMAP_S_EMAILID, ID, 0 },
	{ "FLAGGED", IMAP_S_FLAG, HAS, IMAP_FLAGGED },
	{ "FROM", IMAP_S_HEADER, FIELD, 0 },
	{ "HEADER", IMAP_S_HEADER, HEADER, 0 },
	{ "KEYWORD", IMAP_S_KEYWORD, KEYWORD, 0 },
	{ "LARGER", IMAP_S_LARGER, NUMBER, 0 },
	{ "MODSEQ", IMAP_S_MODSEQ, MODSEQ, 0 },
	{ "NEW", IMAP_S_NEW, NONE, 0 },
	{ "OLD", IMAP_S_OLD, NONE, 0 },
	{ "OLDER", IMAP_S_OLDER, SECONDS, 0 },
	{ "ON", IMAP_S_ON, DATE, 0 },
	{ "RECENT", IMAP_S_RECENT, NONE, 0 },
	{ "SAVEDBEFORE", IMAP_S_SAVEDBEFORE, DATE, 0 },
	{ "SAVEDON", IMAP_S_SAVEDON, DATE, 0 },
	{ "SAVEDSINCE", IMAP_S_SAVEDSINCE, DATE, 0 },
	{ "SEEN", IMAP_S_FLAG, HAS, IMAP_SEEN },
	{ "SENTBEFORE", IMAP_S_SENTBEFORE, DATE, 0 },
	{ "SENTON", IMAP_S_SENTON, DATE, 0 },
	{ "SENTSINCE", IMAP_S_SENTSINCE, DATE, 0 },
	{ "SINCE", IMAP_S_SINCE, DATE, 0 },
	{ "SMALLER", IMAP_S_SMALLER, NUMBER, 0 },
	{ "SUBJECT", IMAP_S_HEADER, FIELD, 0 },
	{ "TEXT", IMAP_S_TEXT, STRING, 0 },
	{ "THREADID", IMAP_S_THREADID, ID, 0 },
	{ "TO", IMAP_S_HEADER, FIELD, 0 },
	{ "UID", IMAP_S_UID, UIDS, 0 },
	{ "UNANSWERED", IMAP_S_FLAG, LACKS, IMAP_ANSWERED },
	{ "UNDELETED", IMAP_S_FLAG, LACKS, IMAP_DELETED },
	{ "UNDRAFT", IMAP_S_FLAG, LACKS, IMAP_DRAFT },
	{ "UNFLAGGED", IMAP_S_FLAG, LACKS, IMAP_FLAGGED },
	{ "UNKEYWORD", IMAP_S_KEYWORD, NOT_KEYWORD, 0 },
	{ "UNSEEN", IMAP_S_FLAG, LACKS, IMAP_SEEN },
	{ "YOUNGER", IMAP_S_YOUNGER, SECONDS, 0 },
};

/* An open key: WANT more children, or a list that ')' or the end of the command closes. */
struct open {
	struct imap_search_key *key, **tail;
	unsigned want; /* 0: a list */
	bool first;    /* of a list: no blank before the next key */
};

struct reader {
	struct imap_parser *p;
	struct imap_search *out;
	struct open stack[IMAP_SEARCH_DEPTH_MAX];
	size_t depth;
};

static struct imap_search_key *attach(struct reader *r, enum imap_search_kind kind)
{
	if (++r->out->keys > IMAP_SEARCH_KEYS_MAX) {
		bad(r->p, "too many search keys");
		return NULL;
	}
	struct imap_search_key *key = arena_alloc(r->p->arena, sizeof(*key));
	if (!key) {
		bad(r->p, "command too large");
		return NULL;
	}
	key->kind = kind;
	key->field = key->text = SV_NONE;
	if (r->depth) {
		struct open *top = &r->stack[r->depth - 1];
		*top->tail = key;
		top->tail = &key->next;
	}
	return key;
}

/* A key that takes others; WANT 0 makes it a list. */
static int open_key(struct reader *r, enum imap_search_kind kind, unsigned want)
{
	if (r->depth == IMAP_SEARCH_DEPTH_MAX)
		return bad(r->p, "search keys nest too deep");
	struct imap_search_key *key = attach(r, kind);
	if (!key)
		return -1;
	r->stack[r->depth++] = (struct open){ .key = key, .tail = &key->child, .want = want,
		.first = true };
	return 1;
}

/* A whole key has been read: close NOT and OR that were waiting for it. */
static void key_done(struct reader *r)
{
	while (r->stack[r->depth - 1].want && --r->stack[r->depth - 1].want == 0)
		r->depth--;
}

static const struct word *take_word(struct imap_parser *p)
{
	size_t start = p->pos;
	while (p->pos < p->in.len && ascii_is_alpha(p->in.p[p->pos]))
		p->pos++;
	struct sv name = sv_sub(p->in, start, p->pos - start);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sv_ieqz(name, words[i].name))
			return &words[i];
	p->pos = start;
	return NULL;
}

static int take_object_id(struct imap_parser *p, struct sv *out)
{
	if (imap_atom(p, out) < 0)
		return -1;
	return out->len <= 255 ? 1 : bad(p, "object id too long");
}

/* MODSEQ ["entry" type] value (RFC 7162 3.1.5) */
static int take_modseq(struct imap_parser *p, struct imap_search_key *key)
{
	struct sv entry, type;
	if (imap_peek(p, '"') && (imap_string(p, &entry) < 0 || imap_sp(p) < 0 ||
					 imap_atom(p, &type) < 0 || imap_sp(p) < 0))
		return -1;
	return imap_number64(p, &key->number);
}

static int take_argument(struct reader *r, const struct word *w, struct imap_search_key *key)
{
	struct imap_parser *p = r->p;
	if (w->arg == NONE || w->arg == HAS || w->arg == LACKS)
		return 1;
	if (imap_sp(p) < 0)
		return -1;
	switch (w->arg) {
	case STRING: return imap_astring(p, &key->text);
	case FIELD:
		key->field = sv_z(w->name);
		return imap_astring(p, &key->text);
	case HEADER:
		if (imap_astring(p, &key->field) < 0 || imap_sp(p) < 0)
			return -1;
		return imap_astring(p, &key->text);
	case DATE: return imap_date(p, &key->day);
	case NUMBER: return imap_number64(p, &key->number);
	case SECONDS: {
		uint32_t n;
		int rc = imap_nz_number(p, &n);
		key->number = rc == 1 ? n : 0;
		return rc;
	}
	case KEYWORD:
	case NOT_KEYWORD: return imap_atom(p, &key->text);
	case UIDS: return imap_seqset_parse(p, &key->set);
	case ID: return take_object_id(p, &key->text);
	case MODSEQ: return take_modseq(p, key);
	default: return 1;
	}
}

static int take_leaf(struct reader *r)
{
	struct imap_parser *p = r->p;
	char c = p->pos < p->in.len ? p->in.p[p->pos] : '\0';
	if (ascii_is_digit(c) || c == '*' || c == '$') {
		struct imap_search_key *key = attach(r, IMAP_S_SEQ);
		return key ? imap_seqset_parse(p, &key->set) : -1;
	}
	const struct word *w = take_word(p);
	if (!w)
		return bad(p, "unknown search key");
	bool negated = w->arg == LACKS || w->arg == NOT_KEYWORD;
	struct imap_search_key *key = attach(r, negated ? IMAP_S_NOT : w->kind);
	if (key && negated) {
		struct imap_search_key *inner = arena_alloc(p->arena, sizeof(*inner));
		if (!inner)
			return bad(p, "command too large");
		inner->field = inner->text = SV_NONE;
		key->child = inner;
		key = inner;
		key->kind = w->kind;
	}
	if (!key)
		return -1;
	key->flag = w->flag;
	r->out->needs_body |= w->kind == IMAP_S_BODY || w->kind == IMAP_S_TEXT;
	r->out->needs_header |= w->kind == IMAP_S_HEADER || w->kind == IMAP_S_TEXT ||
				w->kind == IMAP_S_SENTBEFORE || w->kind == IMAP_S_SENTON ||
				w->kind == IMAP_S_SENTSINCE;
	return take_argument(r, w, key);
}

/* One key, or the start of one that takes others. */
static int take_key(struct reader *r)
{
	struct imap_parser *p = r->p;
	struct open *top = &r->stack[r->depth - 1];
	if (!(top->want == 0 && top->first) && imap_sp(p) < 0)
		return -1;
	top->first = false;
	if (imap_accept(p, '('))
		return open_key(r, IMAP_S_AND, 0);
	if (imap_word(p, "NOT"))
		return open_key(r, IMAP_S_NOT, 1);
	if (imap_word(p, "OR"))
		return open_key(r, IMAP_S_OR, 2);
	if (take_leaf(r) < 0)
		return -1;
	key_done(r);
	return 1;
}

static int take_keys(struct reader *r)
{
	struct imap_parser *p = r->p;
	for (;;) {
		struct open *top = &r->stack[r->depth - 1];
		if (r->depth > 1 && top->want == 0 && !top->first && imap_accept(p, ')')) {
			r->depth--;
			key_done(r);
			continue;
		}
		if (r->depth == 1 && !top->first && p->pos == p->in.len)
			return 1;
		if (p->pos == p->in.len)
			return bad(p, "search key missing");
		if (take_key(r) < 0)
			return -1;
	}
}

/* "RETURN (MIN MAX)" */
static int take_return(struct imap_parser *p, struct imap_search *out)
{
	static const struct {
		const char *word;
		unsigned bit;
	} options[] = {
		{ "MIN", IMAP_RETURN_MIN }, { "MAX", IMAP_RETURN_MAX }, { "ALL", IMAP_RETURN_ALL },
		{ "COUNT", IMAP_RETURN_COUNT }, { "SAVE", IMAP_RETURN_SAVE },
	};
	if (imap_sp(p) < 0)
		return -1;
	if (!imap_accept(p, '('))
		return bad(p, "expected result options");
	out->has_return = true;
	if (imap_accept(p, ')')) {
		out->ret = IMAP_RETURN_ALL;
		return 1;
	}
	do {
		size_t i = 0;
		while (i < ARRAY_LEN(options) && !imap_word(p, options[i].word))
			i++;
		if (i == ARRAY_LEN(options))
			return bad(p, "unknown result option");
		out->ret |= options[i].bit;
	} while (imap_accept(p, ' '));
	return imap_accept(p, ')') ? 1 : bad(p, "result options without end");
}

int imap_search_parse(struct imap_parser *p, struct imap_search *out)
{
	struct reader r = { .p = p, .out = out };
	*out = (struct imap_search){ .charset = SV_NONE };
	if (imap_sp(p) < 0)
		return -1;
	if (imap_word(p, "RETURN") && (take_return(p, out) < 0 || imap_sp(p) < 0))
		return -1;
	if (imap_word(p, "CHARSET") &&
		(imap_sp(p) < 0 || imap_astring(p, &out->charset) < 0 || imap_sp(p) < 0))
		return -1;
	if (open_key(&r, IMAP_S_AND, 0) < 0)
		return -1;
	out->root = r.stack[0].key;
	return take_keys(&r);
}
