/*
 * The pattern is a list of positions; a set of them is alive while the name is read. One octet of
 * the name moves every position at most once, so time is length times length.
 */
#include "lib/wire/imap_pattern.h"

struct matcher {
	char pat[IMAP_PATTERN_MAX + 1];
	size_t len;
	bool alive[IMAP_PATTERN_MAX + 1];
	char delim;
	bool inbox; /* the name's first level is INBOX: that level has no case */
};

/* Copy the pattern with runs of wildcards reduced: "*" swallows what stands beside it. */
static bool load(struct matcher *m, struct sv pattern)
{
	if (pattern.len > IMAP_PATTERN_MAX)
		return false;
	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.p[i];
		char last = m->len ? m->pat[m->len - 1] : '\0';
		if ((c == '*' || c == '%') && last == '*')
			continue;
		if (c == '%' && last == '%')
			continue;
		if (c == '*' && last == '%') {
			m->pat[m->len - 1] = '*';
			continue;
		}
		m->pat[m->len++] = c;
	}
	return true;
}

/* A wildcard may match nothing: the position behind it is alive too. */
static void revive(struct matcher *m, size_t i)
{
	m->alive[i] = true;
	if (i < m->len && (m->pat[i] == '*' || m->pat[i] == '%'))
		m->alive[i + 1] = true; /* no two wildcards in a row */
}

static void step(struct matcher *m, char c, bool fold)
{
	for (size_t i = m->len + 1; i-- > 0;) {
		/* from the back, so that what is set here is not read again in this step */
		bool was = m->alive[i];
		m->alive[i] = false;
		if (!was || i == m->len)
			continue;
		char p = m->pat[i];
		if (p == '*' || (p == '%' && c != m->delim))
			revive(m, i);
		else if (p != '%' && (fold ? ascii_lower(p) == ascii_lower(c) : p == c))
			revive(m, i + 1);
	}
}

unsigned imap_pattern_match(struct sv pattern, struct sv name, char delim)
{
	struct matcher m = { .delim = delim };
	unsigned result = IMAP_MATCH_NO;
	if (!load(&m, pattern))
		return IMAP_MATCH_NO;
	struct sv rest = name;
	m.inbox = sv_ieqz(sv_take_until(&rest, delim), "INBOX");
	revive(&m, 0);
	for (size_t i = 0; i < name.len; i++)
		step(&m, name.p[i], m.inbox && i < 5);
	if (m.alive[m.len])
		result |= IMAP_MATCH_YES;
	step(&m, delim, false);
	for (size_t i = 0; i < m.len; i++)
		if (m.alive[i])
			result |= IMAP_MATCH_BELOW;
	return result;
}
