#include "lib/tls/tls_match.h"

static bool plain(struct sv name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_' && name.p[i] != '.')
			return false;
	return name.len > 0;
}

static struct sv no_last_dot(struct sv s)
{
	return s.len && s.p[s.len - 1] == '.' ? sv_upto(s, s.len - 1) : s;
}

bool tls_name_fits(struct sv wanted, struct sv cert, bool many)
{
	wanted = no_last_dot(wanted);
	cert = no_last_dot(cert);
	bool below = sv_starts(wanted, SV(".")), wild = sv_starts(cert, SV("*."));
	struct sv tail = wild ? sv_from(cert, 1) : cert; /* ".example.org" */

	if (!plain(wanted) || !plain(tail) || (wild && sv_chr(sv_from(tail, 1), '.') < 0) ||
		(!wild && sv_starts(cert, SV("."))) || sv_find(tail, SV("..")) >= 0)
		return false;
	if (below) /* "*.example.org" is below ".example.org", and so is "*.a.example.org" */
		return wild ? sv_iends(tail, wanted) : cert.len > wanted.len && sv_iends(cert, wanted);
	if (!wild)
		return sv_ieq(wanted, cert);
	if (wanted.len <= tail.len || !sv_iends(wanted, tail))
		return false;
	struct sv label = sv_upto(wanted, wanted.len - tail.len);
	return many || sv_chr(label, '.') < 0;
}
