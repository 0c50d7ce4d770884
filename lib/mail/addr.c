#include "lib/mail/addr.h"

#include "lib/base/utf8.h"

/* RFC 5322 3.2.3 atext; octets over 0x7f count as atext, their validity is checked apart. */
static bool is_atext(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static int refuse(const char **why, const char *text)
{
	if (why)
		*why = text;
	return -1;
}

/* One pass over a path: decoded octets go to .out, the last unquoted '@' is remembered. */
struct scan {
	struct sv in;
	size_t i;
	unsigned flags;
	bool bracket; /* inside <> */
	struct buf *out;
	size_t mark;      /* where the address starts in .out */
	bool has_at;
	size_t at_out;    /* position of the last unquoted '@' in .out */
	size_t domain_in; /* and of the octet behind it in .in */
	const char **why;
};

static int scan_quoted(struct scan *s)
{
	for (s->i++; s->i < s->in.len; s->i++) {
		char c = s->in.p[s->i];
		if (c == '"') {
			s->i++;
			return 0;
		}
		if (c == '\\' && ++s->i < s->in.len)
			c = s->in.p[s->i];
		else if (c == '\\')
			break;
		if (is_control(c))
			return refuse(s->why, "control character in address");
		if (buf_putc(s->out, c) < 0)
			return refuse(s->why, "address too long");
	}
	return refuse(s->why, "quoted string without end");
}

/* "[...]" directly behind '@', taken as it is. */
static int scan_literal(struct scan *s)
{
	size_t start = s->i;
	for (; s->i < s->in.len && s->in.p[s->i] != ']'; s->i++)
		if (is_control(s->in.p[s->i]))
			return refuse(s->why, "control character in address");
	if (s->i == s->in.len)
		return refuse(s->why, "address literal without end");
	s->i++;
	if (buf_put(s->out, s->in.p + start, s->i - start) < 0)
		return refuse(s->why, "address too long");
	return 0;
}

static int scan_at(struct scan *s)
{
	if (s->has_at && !(s->flags & ADDR_LOOSE))
		return refuse(s->why, "more than one @");
	s->has_at = true;
	s->at_out = s->out->len;
	if (buf_putc(s->out, '@') < 0)
		return refuse(s->why, "address too long");
	s->domain_in = ++s->i;
	if (s->i < s->in.len && s->in.p[s->i] == '[')
		return scan_literal(s);
	return 0;
}

/* Up to the '>' or blank that ends the address; s->i is left there. */
static int scan_address(struct scan *s)
{
	while (s->i < s->in.len) {
		char c = s->in.p[s->i];
		int rc = 0;
		if (s->bracket ? c == '>' : ascii_is_blank(c))
			return 0;
		if (s->bracket && c == ' ' && (s->flags & ADDR_LOOSE)) {
			/* blanks are harmless only before the '>' */
			size_t k = s->i;
			while (k < s->in.len && s->in.p[k] == ' ')
				k++;
			if (k == s->in.len || s->in.p[k] != '>')
				return refuse(s->why, "blank in address");
			s->i = k;
			return 0;
		}
		if (c == '"') {
			rc = scan_quoted(s);
		} else if (c == '@') {
			rc = scan_at(s);
		} else if (is_atext(c) || c == '.') {
			rc = buf_putc(s->out, c);
			s->i++;
		} else if (c == '\\' && (s->flags & ADDR_LOOSE) && s->i + 1 < s->in.len &&
			   !is_control(s->in.p[s->i + 1])) {
			rc = buf_putc(s->out, s->in.p[s->i + 1]);
			s->i += 2;
		} else {
			return refuse(s->why, "character not allowed in address");
		}
		if (rc < 0)
			return s->why && *s->why ? -1 : refuse(s->why, "address too long");
		if (s->out->len - s->mark > ADDR_MAX)
			return refuse(s->why, "address too long");
	}
	return s->bracket ? refuse(s->why, "no closing >") : 0;
}

/* "@a,@[IPv6:::1]:" before the address. The route is not used, so only its octets are checked. */
static int skip_route(struct scan *s, bool *route)
{
	bool literal = false;
	if (s->i >= s->in.len || s->in.p[s->i] != '@')
		return 0;
	for (size_t k = s->i; k < s->in.len; k++) {
		char c = s->in.p[k];
		if (c == '[')
			literal = true;
		else if (c == ']')
			literal = false;
		else if (c == ':' && !literal) {
			if (s->in.p[k - 1] == '@' || s->in.p[k - 1] == ',')
				break;
			s->i = k + 1;
			*route = true;
			return 0;
		} else if (!ascii_is_alnum(c) && (unsigned char)c < 0x80 &&
			   (c == '\0' || !strchr("-._@,:", c)))
			break;
	}
	return refuse(s->why, "malformed source route");
}

static bool has_8bit(struct sv s)
{
	return !utf8_is_ascii(s);
}

/* Dots at the ends or in a row are tolerated in loose mode only. */
static bool strict_local(struct sv in)
{
	if (in.len && in.p[0] == '"')
		return in.len >= 2 && in.p[in.len - 1] == '"';
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '"')
			return false;
		if (in.p[i] == '.' && (i == 0 || i + 1 == in.len || in.p[i + 1] == '.'))
			return false;
	}
	return true;
}

static int check_parts(struct scan *s, size_t start, struct addr_path *path)
{
	struct sv all = sv_n(s->out->p + s->mark, s->out->len - s->mark);
	path->internal = all;
	path->local = s->has_at ? sv_upto(all, s->at_out - s->mark) : all;
	path->domain = s->has_at ? sv_from(all, s->at_out - s->mark + 1) : SV_NONE;
	path->eightbit = has_8bit(all);
	if (path->local.len == 0)
		return refuse(s->why, "empty local part");
	if (path->eightbit && !(s->flags & ADDR_UTF8))
		return refuse(s->why, "address requires SMTPUTF8");
	if (path->eightbit && !utf8_valid(all))
		return refuse(s->why, "invalid UTF-8 in address");
	if ((s->flags & ADDR_STRICT_LENGTH) && path->local.len > ADDR_LOCAL_MAX)
		return refuse(s->why, "local part too long");
	size_t local_end = s->has_at ? s->domain_in - 1 : s->i;
	if (!(s->flags & ADDR_LOOSE) && !strict_local(sv_n(s->in.p + start, local_end - start)))
		return refuse(s->why, "malformed local part");
	if (!s->has_at)
		return 1;
	struct sv written = sv_n(s->in.p + s->domain_in, s->i - s->domain_in);
	struct sv domain = path->domain;
	if ((s->flags & ADDR_LOOSE)) {
		written = sv_trim_right(written);
		if (domain.len > 1 && domain.p[domain.len - 1] == '.')
			domain.len--; /* "user@host.example." */
	}
	if (sv_find(written, SV("\"")) >= 0 || sv_chr(written, '\\') >= 0 ||
		!addr_domain_valid(domain, s->flags))
		return refuse(s->why, "malformed domain");
	return 1;
}

int addr_path_parse(struct sv in, unsigned flags, struct buf *out, struct addr_path *path,
	const char **why)
{
	const char *ignored;
	struct scan s = { .flags = flags, .out = out, .mark = out->len, .why = why ? why : &ignored };
	*s.why = NULL;
	*path = (struct addr_path){ .route = false };
	s.in = flags & ADDR_LOOSE ? sv_trim_left(in) : in;
	s.bracket = s.in.len > 0 && s.in.p[0] == '<';
	s.i = s.bracket ? 1 : 0;
	if (!s.bracket && !(flags & ADDR_LOOSE))
		return refuse(s.why, "no opening <");
	if (flags & ADDR_LOOSE)
		while (s.i < s.in.len && s.in.p[s.i] == ' ')
			s.i++;
	bool empty = s.bracket && s.i < s.in.len && s.in.p[s.i] == '>';
	int rc = 1;
	if (empty && !(flags & ADDR_EMPTY_OK)) {
		rc = refuse(s.why, "empty address");
	} else if (empty) {
		path->internal = path->local = path->domain = SV_NONE;
	} else if (skip_route(&s, &path->route) < 0) {
		rc = -1;
	} else {
		size_t start = s.i;
		rc = scan_address(&s);
		if (rc == 0)
			rc = check_parts(&s, start, path);
	}
	if (rc == 1) {
		size_t next = s.bracket ? s.i + 1 : s.i;
		if (next < s.in.len && !ascii_is_blank(s.in.p[next]))
			rc = refuse(s.why, "text after the address");
		else
			path->rest = sv_trim_left(sv_from(s.in, next));
	}
	if (rc < 0) {
		buf_truncate(out, s.mark);
		out->overflow = false; /* the address was refused, nothing is missing from OUT */
	}
	return rc;
}

bool addr_split(struct sv internal, struct sv *local, struct sv *domain)
{
	ptrdiff_t at = sv_rchr(internal, '@');
	*local = at < 0 ? internal : sv_upto(internal, (size_t)at);
	*domain = at < 0 ? SV_NONE : sv_from(internal, (size_t)at + 1);
	return at >= 0;
}

bool addr_local_needs_quote(struct sv local)
{
	for (size_t i = 0; i < local.len; i++) {
		char c = local.p[i];
		if (c == '.' ? i == 0 || i + 1 == local.len || local.p[i + 1] == '.' : !is_atext(c))
			return true;
	}
	return local.len == 0;
}

int addr_quote_local(struct buf *out, struct sv local)
{
	if (!addr_local_needs_quote(local))
		return buf_put_sv(out, local);
	int rc = buf_putc(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		char c = is_control(local.p[i]) ? '?' : local.p[i];
		if (c == '"' || c == '\\')
			rc |= buf_putc(out, '\\');
		rc |= buf_putc(out, c);
	}
	return rc | buf_putc(out, '"');
}

int addr_quote(struct buf *out, struct sv internal)
{
	struct sv local, domain;
	if (internal.len == 0)
		return 0;
	bool has_domain = addr_split(internal, &local, &domain);
	int rc = addr_quote_local(out, local);
	if (has_domain)
		rc |= buf_putc(out, '@');
	for (size_t i = 0; i < domain.len; i++)
		rc |= buf_putc(out, is_control(domain.p[i]) ? '?' : domain.p[i]);
	return rc;
}

int addr_unquote(struct buf *out, struct sv external)
{
	bool quoted = false;
	size_t split = external.len;
	for (size_t i = 0; i < external.len; i++) {
		char c = external.p[i];
		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '@' && !quoted)
			split = i;
	}
	int rc = 0;
	for (size_t i = 0; i < split; i++) {
		char c = external.p[i];
		if (c == '"')
			continue;
		if (c == '\\' && ++i < split)
			c = external.p[i];
		else if (c == '\\')
			break;
		rc |= buf_putc(out, c);
	}
	return rc | buf_put_sv(out, sv_from(external, split));
}

int addr_fold(struct buf *out, struct sv s)
{
	char *o = buf_room(out, s.len);
	if (!o)
		return -1;
	for (size_t i = 0; i < s.len; i++)
		o[i] = ascii_lower(s.p[i]);
	buf_added(out, s.len);
	return 0;
}

int addr_fold_domain(struct buf *out, struct sv internal)
{
	struct sv local, domain;
	bool has_domain = addr_split(internal, &local, &domain);
	int rc = buf_put_sv(out, local);
	if (has_domain)
		rc |= buf_putc(out, '@');
	return rc | addr_fold(out, domain);
}

bool addr_eq(struct sv a, struct sv b)
{
	struct sv al, ad, bl, bd;
	return addr_split(a, &al, &ad) == addr_split(b, &bl, &bd) && sv_eq(al, bl) && sv_ieq(ad, bd);
}

bool addr_ieq(struct sv a, struct sv b)
{
	return sv_ieq(a, b);
}

int addr_split_ext(struct sv local, const char *delimiters, bool owner_request_special,
	struct sv *user, struct sv *ext, char *delim)
{
	*user = local;
	*ext = SV_NONE;
	*delim = '\0';
	if (!delimiters || !*delimiters || sv_ieqz(local, "mailer-daemon") ||
		sv_ieqz(local, "postmaster") || sv_ieqz(local, "double-bounce"))
		return 0;
	if (owner_request_special && strchr(delimiters, '-') &&
		(sv_istarts(local, SV("owner-")) ||
			(local.len > 8 && sv_iends(local, SV("-request")))))
		return 0;
	for (size_t i = 1; i < local.len; i++) { /* never an empty user */
		if (local.p[i] == '\0' || !strchr(delimiters, local.p[i]))
			continue;
		*user = sv_upto(local, i);
		*ext = sv_from(local, i + 1);
		*delim = local.p[i];
		return 1;
	}
	return 0;
}
