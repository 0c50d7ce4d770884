#include "auth/auth_location.h"

static bool component(struct sv s)
{
	return s.len > 0 && s.p[0] != '.' && s.p[0] != '-' && sv_chr(s, '/') < 0 && sv_chr(s, ':') < 0;
}

/* What '%C' stands for. False: nothing that may be in a path. */
static bool value_of(char c, struct sv user, struct sv home, struct sv *out)
{
	ptrdiff_t at = sv_rchr(user, '@');
	switch (c) {
	case 'u': *out = user; return component(user);
	case 'n': *out = at < 0 ? user : sv_upto(user, (size_t)at); return component(*out);
	case 'd': *out = at < 0 ? SV_NONE : sv_from(user, (size_t)at + 1); return component(*out);
	case 'h': *out = home; return home.len > 0 && home.p[0] == '/';
	case '%': *out = SV("%"); return true;
	default: return false;
	}
}

int auth_location_expand(struct buf *out, struct sv text, struct sv user, struct sv home, struct err *e)
{
	struct sv rest = text;
	ptrdiff_t at;
	while ((at = sv_chr(rest, '%')) >= 0) {
		struct sv value;
		(void)buf_put_sv(out, sv_upto(rest, (size_t)at));
		rest = sv_from(rest, (size_t)at + 1);
		if (sv_empty(rest) || !value_of(rest.p[0], user, home, &value))
			return err_set(e, ERR_CONFIG, "mail_location: %%%.*s of \"%.*s\" cannot be in a path",
				SV_ARG(sv_upto(rest, 1)), SV_ARG(user));
		(void)buf_put_sv(out, value);
		rest = sv_from(rest, 1);
	}
	(void)buf_put_sv(out, rest);
	return out->overflow ? err_set(e, ERR_CONFIG, "mail_location is too long") : 1;
}
