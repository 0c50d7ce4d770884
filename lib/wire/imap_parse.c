#include "lib/wire/imap_parse.h"

#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "lib/wire/imap_utf7.h"

static const char *const verb_names[] = {
	[IMAP_UNKNOWN] = "?",
#define X(v) [IMAP_##v] = #v,
	IMAP_VERBS(X)
#undef X
};

const char *imap_verb_name(enum imap_verb verb)
{
	return (size_t)verb < ARRAY_LEN(verb_names) ? verb_names[verb] : "?";
}

static int bad(struct imap_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return -1;
}

static struct sv rest_of(const struct imap_parser *p)
{
	return sv_from(p->in, p->pos);
}

/* ATOM-CHAR of RFC 9051 9 */
static bool is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("(){%*\"\\]", c);
}

static bool is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

void imap_parser_init(struct imap_parser *p, struct sv command, struct arena *a, bool utf8)
{
	*p = (struct imap_parser){ .in = command, .arena = a, .utf8 = utf8 };
	if (p->in.len && p->in.p[p->in.len - 1] == '\n')
		p->in.len--;
	if (p->in.len && p->in.p[p->in.len - 1] == '\r')
		p->in.len--;
}

bool imap_peek(const struct imap_parser *p, char c)
{
	return p->pos < p->in.len && p->in.p[p->pos] == c;
}

bool imap_accept(struct imap_parser *p, char c)
{
	if (!imap_peek(p, c))
		return false;
	p->pos++;
	return true;
}

int imap_sp(struct imap_parser *p)
{
	return imap_accept(p, ' ') ? 1 : bad(p, "expected a space");
}

int imap_end(struct imap_parser *p)
{
	return p->pos == p->in.len ? 1 : bad(p, "unexpected text at the end");
}

/* Octets from here on for which TEST holds; at least one. */
static int take_while(struct imap_parser *p, bool (*test)(char), struct sv *out, const char *why)
{
	size_t start = p->pos;
	while (p->pos < p->in.len && test(p->in.p[p->pos]))
		p->pos++;
	*out = sv_sub(p->in, start, p->pos - start);
	return out->len ? 1 : bad(p, why);
}

int imap_atom(struct imap_parser *p, struct sv *out)
{
	return take_while(p, is_atom_char, out, "expected an atom");
}

static int take_quoted(struct imap_parser *p, struct sv *out)
{
	struct sv s = rest_of(p);
	size_t i = 1, escapes = 0;
	for (; i < s.len && s.p[i] != '"'; i++) {
		char c = s.p[i];
		if (c == '\\') {
			if (++i >= s.len || (s.p[i] != '"' && s.p[i] != '\\'))
				return bad(p, "invalid escape in quoted string");
			escapes++;
		} else if (c == '\0' || c == '\r' || c == '\n') {
			return bad(p, "invalid character in quoted string");
		}
	}
	if (i >= s.len)
		return bad(p, "quoted string without end");
	struct sv raw = sv_sub(s, 1, i - 1);
	if (!utf8_valid(raw))
		return bad(p, "8-bit data in quoted string");
	p->pos += i + 1;
	*out = raw;
	if (!escapes)
		return 1;
	char *plain = arena_alloc(p->arena, raw.len);
	size_t n = 0;
	if (!plain)
		return bad(p, "command too large");
	for (size_t k = 0; k < raw.len; k++) {
		if (raw.p[k] == '\\')
			k++;
		plain[n++] = raw.p[k];
	}
	*out = sv_n(plain, n);
	return 1;
}

/* "{3}CRLF" or "{3+}CRLF" here, cut off; the size in *size. */
static int take_announcement(struct imap_parser *p, uint64_t *size)
{
	struct sv s = rest_of(p);
	ptrdiff_t close = sv_chr(sv_upto(s, 24), '}');
	if (close < 0)
		return bad(p, "malformed literal");
	struct sv digits = sv_sub(s, 1, (size_t)close - 1);
	if (digits.len && digits.p[digits.len - 1] == '+')
		digits.len--;
	if (num_u64(digits, size) != 1 || *size > INT64_MAX)
		return bad(p, "malformed literal");
	p->pos += (size_t)close + 1;
	imap_accept(p, '\r');
	return imap_accept(p, '\n') ? 1 : bad(p, "malformed literal");
}

static int take_literal(struct imap_parser *p, struct sv *out)
{
	uint64_t size = 0;
	if (take_announcement(p, &size) < 0)
		return -1;
	if (size > p->in.len - p->pos)
		return bad(p, "literal without its octets");
	*out = sv_sub(p->in, p->pos, (size_t)size);
	p->pos += (size_t)size;
	if (sv_chr(*out, '\0') >= 0)
		return bad(p, "NUL in literal");
	return 1;
}

int imap_string(struct imap_parser *p, struct sv *out)
{
	if (imap_peek(p, '"'))
		return take_quoted(p, out);
	if (imap_peek(p, '{'))
		return take_literal(p, out);
	return bad(p, "expected a string");
}

int imap_astring(struct imap_parser *p, struct sv *out)
{
	if (imap_peek(p, '"') || imap_peek(p, '{'))
		return imap_string(p, out);
	return take_while(p, is_astring_char, out, "expected an atom or a string");
}

int imap_nstring(struct imap_parser *p, struct sv *out, bool *nil)
{
	*nil = false;
	if (imap_peek(p, '"') || imap_peek(p, '{'))
		return imap_string(p, out);
	*out = SV_NONE;
	*nil = imap_word(p, "NIL");
	return *nil ? 1 : bad(p, "expected a string or NIL");
}

bool imap_word(struct imap_parser *p, const char *word)
{
	size_t n = strlen(word);
	struct sv s = rest_of(p);
	if (!sv_istarts(s, sv_n(word, n)) || (s.len > n && is_atom_char(s.p[n])))
		return false;
	p->pos += n;
	return true;
}

/* ---- mailbox names ---- */

static int decode_name(struct imap_parser *p, struct sv raw, struct sv *out)
{
	if (p->utf8 ? utf8_valid(raw) && sv_chr(raw, '\0') < 0 : false) {
		*out = raw;
		return 1;
	}
	struct buf b;
	buf_init(&b, 2 * raw.len + 8);
	int rc = p->utf8 ? -1 : imap_utf7_decode(&b, raw);
	if (rc == 1)
		*out = arena_sv(p->arena, buf_sv(&b));
	buf_free(&b);
	if (rc != 1)
		return bad(p, "mailbox name is not validly encoded");
	return out->p ? 1 : bad(p, "command too large");
}

int imap_mailbox(struct imap_parser *p, struct sv *out)
{
	struct sv raw;
	if (imap_astring(p, &raw) < 0)
		return -1;
	if (sv_ieqz(raw, "INBOX")) {
		*out = SV("INBOX");
		return 1;
	}
	return decode_name(p, raw, out);
}

static bool is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

int imap_list_mailbox(struct imap_parser *p, struct sv *out)
{
	struct sv raw;
	int rc = imap_peek(p, '"') || imap_peek(p, '{')
			 ? imap_string(p, &raw)
			 : take_while(p, is_list_char, &raw, "expected a mailbox pattern");
	return rc < 0 ? -1 : decode_name(p, raw, out);
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return ascii_is_digit(c);
}

int imap_number(struct imap_parser *p, uint32_t *out)
{
	struct sv s;
	if (take_while(p, is_digit, &s, "expected a number") < 0)
		return -1;
	return num_u32(s, out) == 1 ? 1 : bad(p, "number too large");
}

int imap_nz_number(struct imap_parser *p, uint32_t *out)
{
	if (imap_number(p, out) < 0)
		return -1;
	return *out ? 1 : bad(p, "number must not be zero");
}

int imap_number64(struct imap_parser *p, uint64_t *out)
{
	struct sv s;
	if (take_while(p, is_digit, &s, "expected a number") < 0)
		return -1;
	return num_u64(s, out) == 1 && *out <= INT64_MAX ? 1 : bad(p, "number too large");
}

/* ---- the command's start ---- */

static bool is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

static enum imap_verb find_verb(struct sv word)
{
	for (size_t v = 1; v < ARRAY_LEN(verb_names); v++)
		if (sv_ieqz(word, verb_names[v]))
			return (enum imap_verb)v;
	return IMAP_UNKNOWN;
}

static bool takes_uid(enum imap_verb v)
{
	return v == IMAP_FETCH || v == IMAP_SEARCH || v == IMAP_STORE || v == IMAP_COPY ||
	       v == IMAP_MOVE || v == IMAP_EXPUNGE;
}

int imap_cmd_parse(struct imap_parser *p, struct imap_cmd *out)
{
	struct sv tag;
	*out = (struct imap_cmd){ .tag = SV_NONE, .word = SV_NONE };
	if (take_while(p, is_tag_char, &tag, "missing tag") < 0)
		return -1;
	if (tag.len > IMAP_TAG_MAX)
		return bad(p, "tag too long");
	if (!imap_peek(p, ' '))
		return bad(p, p->pos == p->in.len ? "missing command" : "invalid tag");
	out->tag = tag;
	p->pos++;
	if (imap_atom(p, &out->word) < 0)
		return -1;
	if (sv_ieqz(out->word, "UID")) {
		out->uid = true;
		if (imap_sp(p) < 0 || imap_atom(p, &out->word) < 0)
			return -1;
	}
	out->verb = find_verb(out->word);
	if (out->uid && !takes_uid(out->verb))
		return bad(p, "this command has no UID form");
	return 1;
}

/* ---- flags ---- */

static const struct {
	enum imap_flag bit;
	const char *name;
} flag_names[] = {
	{ IMAP_SEEN, "\\Seen" },
	{ IMAP_ANSWERED, "\\Answered" },
	{ IMAP_FLAGGED, "\\Flagged" },
	{ IMAP_DELETED, "\\Deleted" },
	{ IMAP_DRAFT, "\\Draft" },
};

const char *imap_flag_name(enum imap_flag flag)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (flag_names[i].bit == flag)
			return flag_names[i].name;
	return "";
}

bool imap_keyword_valid(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_atom_char(s.p[i]))
			return false;
	return s.len > 0 && s.len <= 255;
}

static int take_system_flag(struct imap_parser *p, struct imap_flags *f)
{
	struct sv word;
	p->pos++;
	if (imap_atom(p, &word) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (sv_ieqz(word, flag_names[i].name + 1)) {
			f->system |= flag_names[i].bit;
			return 1;
		}
	return bad(p, "this flag cannot be set");
}

static int take_keyword(struct imap_parser *p, struct imap_flags *f)
{
	struct sv word;
	if (imap_atom(p, &word) < 0)
		return -1;
	if (!imap_keyword_valid(word))
		return bad(p, "keyword too long");
	for (size_t i = 0; i < f->nkeywords; i++)
		if (sv_ieq(f->keywords[i], word))
			return 1;
	if (f->nkeywords == IMAP_KEYWORD_MAX)
		return bad(p, "too many keywords");
	if (!f->keywords) {
		f->keywords = arena_array(p->arena, IMAP_KEYWORD_MAX, sizeof(*f->keywords));
		if (!f->keywords)
			return bad(p, "command too large");
	}
	f->keywords[f->nkeywords++] = word;
	return 1;
}

int imap_flag_list(struct imap_parser *p, bool bare, struct imap_flags *out)
{
	bool list = imap_accept(p, '(');
	*out = (struct imap_flags){ .system = 0 };
	if (!list && !bare)
		return bad(p, "expected a flag list");
	if (list && imap_accept(p, ')'))
		return 1;
	do {
		int rc = imap_peek(p, '\\') ? take_system_flag(p, out) : take_keyword(p, out);
		if (rc < 0)
			return -1;
	} while (imap_accept(p, ' '));
	if (list && !imap_accept(p, ')'))
		return bad(p, "flag list without end");
	return 1;
}
