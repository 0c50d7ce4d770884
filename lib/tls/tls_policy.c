#include "lib/tls/tls_policy.h"

static bool separates(char c, char also)
{
	return ascii_is_blank(c) || c == ',' || c == also;
}

static struct sv next(struct sv *rest, char also)
{
	struct sv s = *rest;
	while (s.len && separates(s.p[0], also))
		s = sv_from(s, 1);
	size_t n = 0;
	while (n < s.len && !separates(s.p[n], also))
		n++;
	*rest = sv_from(s, n);
	return sv_upto(s, n);
}

int tls_policy_add_match(struct tls_policy *p, struct sv list, bool fingerprints, struct err *e)
{
	struct sv word;
	while ((word = next(&list, fingerprints ? '|' : ':')).len) {
		if (p->nmatch == TLS_POLICY_MATCH_MAX)
			return err_set(e, ERR_CONFIG, "more than %d names to match", TLS_POLICY_MATCH_MAX);
		p->match[p->nmatch++] = word;
	}
	return 0;
}

static int attribute(struct tls_policy *p, struct sv word, struct err *e)
{
	struct sv value = word, name = sv_take_until(&value, '=');
	const struct {
		const char *name;
		struct sv *to;
	} plain[] = {
		{ "protocols", &p->protocols },
		{ "ciphers", &p->ciphers },
		{ "exclude", &p->exclude },
		{ "servername", &p->server_name },
	};
	if (p->level == TLS_LEVEL_NONE)
		return err_set(e, ERR_CONFIG, "\"%.*s\" means nothing at level none", SV_ARG(word));
	if (value.len == 0)
		return err_set(e, ERR_CONFIG, "\"%.*s\" is not name=value", SV_ARG(word));
	if (sv_ieqz(name, "match")) {
		if (p->level < TLS_LEVEL_FINGERPRINT)
			return err_set(e, ERR_CONFIG, "match= means nothing at level %s", tls_level_name(p->level));
		return tls_policy_add_match(p, value, p->level == TLS_LEVEL_FINGERPRINT, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (!sv_ieqz(name, plain[i].name))
			continue;
		if (plain[i].to->len)
			return err_set(e, ERR_CONFIG, "%s= stands there twice", plain[i].name);
		*plain[i].to = value;
		return 0;
	}
	/* connections are not kept over from one mail to the next with another policy: nothing to switch on or off */
	if (sv_ieqz(name, "connection_reuse") && (sv_ieqz(value, "yes") || sv_ieqz(value, "no")))
		return 0;
	return err_set(e, ERR_CONFIG, "\"%.*s\" is no attribute of this version: match, protocols, ciphers, exclude, "
		"servername and connection_reuse are", SV_ARG(name));
}

int tls_policy_parse(struct sv value, struct tls_policy *out, struct err *e)
{
	struct sv word = next(&value, ',');
	struct tls_policy p = { .level = TLS_LEVEL_NONE };
	int rc = tls_level_parse(word, &p.level);
	if (rc <= 0)
		return err_set(e, ERR_CONFIG, "\"%.*s\" is %s: none, may, encrypt, fingerprint, verify and secure are",
			SV_ARG(word), rc == 0 ? "a TLS level that this version does not have" : "no TLS level");
	while ((word = next(&value, ',')).len)
		if (attribute(&p, word, e) < 0)
			return -1;
	*out = p;
	return 0;
}
