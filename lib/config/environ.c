#include "lib/config/environ.h"

#include <stdlib.h>

#define NAME_MAX_OCTETS 255

const char *environ_own(const char *name)
{
	return getenv(name);
}

static bool is_separator(char c)
{
	return c == ',' || ascii_is_blank(c);
}

/* Cut the next item off *REST; without its braces, if it has some. 1, 0 at the end, -1. */
static int next_item(struct sv *rest, struct sv *item, bool *braced, struct err *e)
{
	while (!sv_empty(*rest) && is_separator(rest->p[0]))
		*rest = sv_from(*rest, 1);
	if (sv_empty(*rest))
		return 0;
	*braced = rest->p[0] == '{';
	size_t n = 0;
	if (*braced) {
		ptrdiff_t end = sv_chr(*rest, '}');
		if (end < 0)
			return err_set(e, ERR_CONFIG, "a '{' without its '}'");
		*item = sv_trim(sv_sub(*rest, 1, (size_t)end - 1));
		*rest = sv_from(*rest, (size_t)end + 1);
		return 1;
	}
	while (n < rest->len && !is_separator(rest->p[n]))
		n++;
	*item = sv_upto(*rest, n);
	*rest = sv_from(*rest, n);
	return 1;
}

static bool is_name(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return s.len > 0 && s.len <= NAME_MAX_OCTETS && !ascii_is_digit(s.p[0]);
}

int environ_each(const char *list, environ_get_fn *get, environ_put_fn *put, void *arg, struct err *e)
{
	struct sv rest = sv_z(list), item;
	bool braced;
	int rc;
	while ((rc = next_item(&rest, &item, &braced, e)) == 1) {
		ptrdiff_t eq = sv_chr(item, '=');
		struct sv name = sv_upto(item, eq < 0 ? item.len : (size_t)eq);
		struct sv value = eq < 0 ? SV_NONE : sv_from(item, (size_t)eq + 1);
		if (braced) {
			name = sv_trim(name);
			value = sv_trim(value);
		}
		char z[NAME_MAX_OCTETS + 1];
		if (!is_name(name) || sv_copyz(name, z, sizeof(z)) < 0)
			return err_set(e, ERR_CONFIG, "\"%.*s\" is no name of a variable",
			        SV_ARG(sv_upto(name, 100)));
		const char *set = eq < 0 ? get(z) : NULL;
		if (eq < 0 && !set)
			continue;
		rc = put(arg, name, eq < 0 ? sv_z(set) : value);
		if (rc < 0)
			return err_set(e, ERR_CONFIG, "too many or too long variables");
	}
	return rc;
}
