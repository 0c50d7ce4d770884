#include "cleanup/cleanup_masquerade.h"

static bool is_separator(char c)
{
	return ascii_is_blank(c) || c == ',' || c == '\n';
}

/* Is SUB below DOMAIN ("a.b" below "b")? */
static bool is_below(struct sv sub, struct sv domain)
{
	return sub.len > domain.len + 1 && sub.p[sub.len - domain.len - 1] == '.' &&
	       sv_ieq(sv_from(sub, sub.len - domain.len), domain);
}

struct sv masquerade_domain(struct sv domain, const char *domains)
{
	struct sv rest = sv_z(domains);
	while (rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && !is_separator(rest.p[n]))
			n++;
		struct sv word = sv_upto(rest, n);
		rest = sv_from(rest, n < rest.len ? n + 1 : n);
		bool strip = true;
		for (; word.len > 0 && word.p[0] == '!'; word = sv_from(word, 1))
			strip = !strip;
		if (word.len == 0)
			continue;
		if (sv_ieq(word, domain))
			return domain;
		if (is_below(domain, word))
			return strip ? sv_from(domain, domain.len - word.len) : domain;
	}
	return domain;
}
