#include "lib/map/split.h"

void split_init(struct split *s, struct sv text)
{
	s->rest = text;
}

static bool separator(char c)
{
	return c == ',' || ascii_is_blank(c);
}

int split_next(struct split *s, struct sv *item, struct err *e)
{
	while (s->rest.len > 0 && separator(s->rest.p[0]))
		s->rest = sv_from(s->rest, 1);
	if (s->rest.len == 0)
		return 0;
	size_t n = 0, level = 0;
	for (; n < s->rest.len && (level > 0 || !separator(s->rest.p[n])); n++) {
		if (s->rest.p[n] == '{')
			level++;
		else if (s->rest.p[n] == '}' && level > 0)
			level--;
	}
	if (level > 0)
		return err_set(e, ERR_CONFIG, "\"{\" without its \"}\" in \"%.*s\"",
			       SV_ARG(sv_upto(s->rest, 100)));
	*item = sv_upto(s->rest, n);
	s->rest = sv_from(s->rest, n);
	return 1;
}

struct sv split_unbrace(struct sv item)
{
	if (item.len >= 2 && item.p[0] == '{' && item.p[item.len - 1] == '}')
		return sv_trim(sv_sub(item, 1, item.len - 2));
	return item;
}

int split_braced(struct split *s, struct err *e)
{
	struct sv text = sv_trim(s->rest);
	if (text.len < 2 || text.p[0] != '{' || text.p[text.len - 1] != '}')
		return err_set(e, ERR_CONFIG, "a list in { } is wanted, not \"%.*s\"",
			       SV_ARG(sv_upto(text, 100)));
	s->rest = split_unbrace(text);
	return 0;
}
