#include "lib/wire/imap_seqset.h"

#include "lib/base/num.h"

static int bad(struct imap_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
	return -1;
}

static bool is_set_char(char c)
{
	return ascii_is_digit(c) || c == ':' || c == ',' || c == '*';
}

static bool number_or_star(struct sv s, uint32_t *out)
{
	if (sv_eqz(s, "*")) {
		*out = IMAP_STAR;
		return true;
	}
	return num_u32(s, out) == 1 && *out != 0;
}

int imap_seqset_parse(struct imap_parser *p, struct imap_seqset *out)
{
	*out = (struct imap_seqset){ .saved = false };
	if (imap_accept(p, '$')) {
		out->saved = true;
		return 1;
	}
	size_t start = p->pos, ranges = 1;
	for (; p->pos < p->in.len && is_set_char(p->in.p[p->pos]); p->pos++)
		ranges += p->in.p[p->pos] == ',';
	struct sv text = sv_sub(p->in, start, p->pos - start);
	out->r = arena_array(p->arena, ranges, sizeof(*out->r));
	if (!out->r)
		return bad(p, "command too large");
	for (; out->count < ranges; out->count++) {
		struct imap_range *r = &out->r[out->count];
		struct sv hi = sv_take_until(&text, ',');
		bool pair = sv_chr(hi, ':') >= 0;
		struct sv lo = sv_take_until(&hi, ':');
		if (!number_or_star(lo, &r->lo) || !number_or_star(pair ? hi : lo, &r->hi))
			return bad(p, "invalid message set");
	}
	return 1;
}

static int by_start(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

void imap_seqset_resolve(struct imap_seqset *s, uint32_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct imap_range r = s->r[i];
		if (r.lo == IMAP_STAR)
			r.lo = max;
		if (r.hi == IMAP_STAR)
			r.hi = max;
		if (r.lo == 0 || r.hi == 0)
			continue; /* "*" where nothing is */
		if (r.lo > r.hi)
			r = (struct imap_range){ .lo = r.hi, .hi = r.lo };
		s->r[n++] = r;
	}
	s->count = n;
	if (n == 0)
		return;
	qsort(s->r, n, sizeof(*s->r), by_start);
	size_t last = 0;
	for (size_t i = 1; i < n; i++) {
		struct imap_range *r = &s->r[last];
		if (r->hi == UINT32_MAX || s->r[i].lo <= r->hi + 1) {
			if (s->r[i].hi > r->hi)
				r->hi = s->r[i].hi;
		} else {
			s->r[++last] = s->r[i];
		}
	}
	s->count = last + 1;
}

bool imap_seqset_has(const struct imap_seqset *s, uint32_t n)
{
	size_t lo = 0, hi = s->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (n < s->r[mid].lo)
			hi = mid;
		else if (n > s->r[mid].hi)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

uint32_t imap_seqset_last(const struct imap_seqset *s)
{
	return s->count ? s->r[s->count - 1].hi : 0;
}

int imap_seqset_write(struct buf *out, const uint32_t *n, size_t count)
{
	int rc = 0;
	for (size_t i = 0; i < count;) {
		size_t k = i;
		while (k + 1 < count && n[k + 1] == n[k] + 1)
			k++;
		if (i)
			rc |= buf_putc(out, ',');
		rc |= buf_printf(out, "%u", n[i]);
		if (k > i)
			rc |= buf_printf(out, ":%u", n[k]);
		i = k + 1;
	}
	return rc;
}
