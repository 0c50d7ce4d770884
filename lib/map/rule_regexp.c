/* lib/map/rule_regexp.c - regexp: rules: POSIX expressions; $1 and ${1} stand for groups. */
#include <regex.h>

#include "lib/base/num.h"
#include "lib/map/map.h"
#include "lib/map/rules.h"

/* /pattern/flags: the delimiter is any octet that is no letter or digit; "\" protects it. */
static int take_pattern(struct sv *rest, struct sv *pattern, int *flags, struct err *e)
{
	if (rest->len < 2 || ascii_is_alnum(rest->p[0]) || ascii_is_blank(rest->p[0]))
		return err_set(e, ERR_CONFIG, "a pattern between delimiters is wanted");
	char delimiter = rest->p[0];
	size_t i = 1;
	for (; i < rest->len && rest->p[i] != delimiter; i++)
		if (rest->p[i] == '\\')
			i++;
	if (i >= rest->len)
		return err_set(e, ERR_CONFIG, "no closing delimiter \"%c\"", delimiter);
	*pattern = sv_sub(*rest, 1, i - 1);
	*flags = REG_EXTENDED | REG_ICASE;
	for (i++; i < rest->len && !ascii_is_blank(rest->p[i]); i++) {
		switch (rest->p[i]) {
		case 'i': *flags ^= REG_ICASE; break;
		case 'm': *flags ^= REG_NEWLINE; break;
		case 'x': *flags ^= REG_EXTENDED; break;
		default:
			return err_set(e, ERR_CONFIG, "unknown flag \"%c\"", rest->p[i]);
		}
	}
	*rest = sv_from(*rest, i);
	return 0;
}

static int compile_regexp(struct rule *r, struct sv *rest, struct err *e)
{
	struct sv pattern;
	int flags = 0;
	if (take_pattern(rest, &pattern, &flags, e) < 0)
		return -1;
	char *z = mem_svdup(pattern), why[128];
	regex_t *re = mem_alloc(sizeof(*re));
	int rc = regcomp(re, z, flags);
	free(z);
	if (rc != 0) {
		regerror(rc, re, why, sizeof(why));
		free(re);
		return err_set(e, ERR_CONFIG, "%s", why);
	}
	r->matcher = re;
	return 0;
}

/* The reference at *TEXT, which starts with '$'. 1 and *group; 0: "$$"; -1: none of these. */
static int take_reference(struct sv *text, uint32_t *group)
{
	struct sv s = sv_from(*text, 1), digits;
	char close = '\0';
	if (s.len > 0 && s.p[0] == '$') {
		*text = sv_from(s, 1);
		return 0;
	}
	if (s.len > 0 && (s.p[0] == '{' || s.p[0] == '(')) {
		close = s.p[0] == '{' ? '}' : ')';
		s = sv_from(s, 1);
	}
	size_t n = 0;
	while (n < s.len && ascii_is_digit(s.p[n]))
		n++;
	digits = sv_upto(s, n);
	s = sv_from(s, n);
	if (num_u32(digits, group) < 0)
		return -1;
	if (close) {
		if (s.len == 0 || s.p[0] != close)
			return -1;
		s = sv_from(s, 1);
	}
	*text = s;
	return 1;
}

static int check_regexp(const struct rule *r, unsigned flags, struct err *e)
{
	const regex_t *re = r->matcher;
	struct sv text = sv_z(r->result);
	ptrdiff_t at;
	while ((at = sv_chr(text, '$')) >= 0) {
		uint32_t group = 0;
		text = sv_from(text, (size_t)at);
		int rc = take_reference(&text, &group);
		if (rc < 0)
			return err_set(e, ERR_CONFIG, "\"$\" must be followed by a number or \"$\"");
		if (rc == 0)
			continue;
		if (r->negate)
			return err_set(e, ERR_CONFIG, "$number in the result of a negated pattern");
		if (flags & MAP_NO_SUBST)
			return err_set(e, ERR_CONFIG, "$number is not allowed in this table");
		if (group == 0 || group > re->re_nsub ||
		    group >= ARRAY_LEN(((struct rule_hit *)0)->groups))
			return err_set(e, ERR_CONFIG, "$%u: the pattern has no such group", group);
	}
	return 0;
}

static bool match_regexp(const struct rule *r, struct rule_hit *hit, UNUSED bool *comparable)
{
	const regex_t *re = r->matcher;
	regmatch_t m[ARRAY_LEN(hit->groups)];
	size_t want = re->re_nsub + 1 < ARRAY_LEN(m) ? re->re_nsub + 1 : ARRAY_LEN(m);
	m[0] = (regmatch_t){ .rm_so = 0, .rm_eo = (regoff_t)hit->key.len };
	if (regexec(re, hit->key.p, want, m, REG_STARTEND) != 0)
		return false;
	hit->ngroups = want;
	for (size_t i = 0; i < want; i++)
		hit->groups[i] = m[i].rm_so < 0 ? SV_NONE
						: sv_sub(hit->key, (size_t)m[i].rm_so,
							 (size_t)(m[i].rm_eo - m[i].rm_so));
	return true;
}

static void result_regexp(const struct rule *r, const struct rule_hit *hit, struct buf *out)
{
	struct sv text = sv_z(r->result);
	ptrdiff_t at;
	while ((at = sv_chr(text, '$')) >= 0) {
		uint32_t group = 0;
		buf_put_sv(out, sv_upto(text, (size_t)at));
		text = sv_from(text, (size_t)at);
		if (take_reference(&text, &group) == 0)
			buf_putc(out, '$');
		else if (group < hit->ngroups)
			buf_put_sv(out, hit->groups[group]);
	}
	buf_put_sv(out, text);
}

static void free_regexp(void *matcher)
{
	regfree(matcher);
	free(matcher);
}

const struct rule_ops rule_regexp_ops = {
	.type = "regexp", .compile = compile_regexp, .check = check_regexp, .match = match_regexp,
	.result = result_regexp, .free_matcher = free_regexp,
};
