#include "trivial-rewrite/rewrite_addr.h"

#include "lib/mail/addr.h"

/* Position of the ':' that ends a source route at the start of S, or -1. A ':' inside a domain
 * literal belongs to an IPv6 address. */
static ptrdiff_t route_end(struct sv s)
{
	bool literal = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '[')
			literal = true;
		else if (s.p[i] == ']')
			literal = false;
		else if (s.p[i] == ':' && !literal)
			return (ptrdiff_t)i;
	}
	return -1;
}

struct sv rewrite_strip_routes(struct sv s)
{
	while (s.len > 0 && s.p[0] == '@') {
		ptrdiff_t colon = route_end(s);
		if (colon < 0 || (size_t)colon + 1 == s.len)
			break;
		s = sv_from(s, (size_t)colon + 1);
	}
	return s;
}

/* An address without '@': make one of what it has instead. */
static int add_domain(const struct rewrite_rules *r, const struct rewrite_context *c, struct sv s,
        bool crack, struct buf *out)
{
	bool word = !crack && addr_local_needs_quote(s);
	ptrdiff_t bang = r->swap_bangpath && !word ? sv_chr(s, '!') : -1;
	ptrdiff_t percent = r->percent_hack && !word ? sv_rchr(s, '%') : -1;

	if (bang >= 0) {
		buf_put_sv(out, sv_from(s, (size_t)bang + 1));
		buf_putc(out, '@');
		buf_put_sv(out, sv_upto(s, (size_t)bang));
	} else if (percent >= 0) {
		buf_put_sv(out, sv_upto(s, (size_t)percent));
		buf_putc(out, '@');
		buf_put_sv(out, sv_from(s, (size_t)percent + 1));
	} else {
		buf_put_sv(out, s);
		if (r->append_at_myorigin && c->origin.len > 0) {
			buf_putc(out, '@');
			buf_put_sv(out, c->origin);
		}
	}
	return out->overflow ? -1 : 0;
}

int rewrite_addr(const struct rewrite_rules *r, const struct rewrite_context *c, struct sv addr,
        bool crack, struct buf *out)
{
	size_t start = out->len;
	struct sv s = rewrite_strip_routes(addr);
	if (s.len == 0)
		return 0;
	if (sv_rchr(s, '@') < 0)
		add_domain(r, c, s, crack, out);
	else
		buf_put_sv(out, s);

	struct sv local, domain;
	struct sv made = sv_from(buf_sv(out), start);
	if (!addr_split(made, &local, &domain) || domain.len == 0)
		return out->overflow ? -1 : 0;
	/* "user@host" gets its domain; broken forms, literals and names with a dot are left alone
	 */
	if (r->append_dot_mydomain && c->domain.len > 0 && local.len > 0 &&
	        sv_chr(domain, '.') < 0 && domain.p[0] != '[') {
		buf_putc(out, '.');
		buf_put_sv(out, c->domain);
	}
	/* "user@host.example." and "user@host.example" are the same place */
	made = sv_from(buf_sv(out), start);
	if (made.len > 2 && made.p[made.len - 1] == '.' && made.p[made.len - 2] != '.' &&
	        made.p[made.len - 2] != '@')
		buf_truncate(out, out->len - 1);
	return out->overflow ? -1 : 0;
}
