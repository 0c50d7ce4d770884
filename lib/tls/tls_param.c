#include "lib/tls/tls_param.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include "lib/tls/tls_error.h"

/* --- levels ------------------------------------------------------------------------------------- */

static const char *const levels[] = {
	[TLS_LEVEL_NONE] = "none",
	[TLS_LEVEL_MAY] = "may",
	[TLS_LEVEL_ENCRYPT] = "encrypt",
	[TLS_LEVEL_FINGERPRINT] = "fingerprint",
	[TLS_LEVEL_VERIFY] = "verify",
	[TLS_LEVEL_SECURE] = "secure",
};

int tls_level_parse(struct sv word, enum tls_level *out)
{
	static const char *const absent[] = { "dane", "dane-only", "half-dane" };
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (sv_ieqz(word, levels[i])) {
			*out = (enum tls_level)i;
			return 1;
		}
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (sv_ieqz(word, absent[i]))
			return 0;
	return -1;
}

const char *tls_level_name(enum tls_level level)
{
	return (size_t)level < ARRAY_LEN(levels) ? levels[level] : "?";
}

struct sv tls_next_word(struct sv *rest)
{
	struct sv s = *rest;
	while (s.len && (ascii_is_blank(s.p[0]) || s.p[0] == ',' || s.p[0] == ':'))
		s = sv_from(s, 1);
	size_t n = 0;
	while (n < s.len && !ascii_is_blank(s.p[n]) && s.p[n] != ',' && s.p[n] != ':')
		n++;
	*rest = sv_from(s, n);
	return sv_upto(s, n);
}

/* --- protocol versions -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int version;
} versions[] = {
	{ "SSLv2", SSL2_VERSION },
	{ "SSLv3", SSL3_VERSION },
	{ "TLSv1", TLS1_VERSION },
	{ "TLSv1.1", TLS1_1_VERSION },
	{ "TLSv1.2", TLS1_2_VERSION },
	{ "TLSv1.3", TLS1_3_VERSION },
};
#define VERSIONS ARRAY_LEN(versions)
#define FLOOR    4 /* TLSv1.2 */

const char *tls_protocol_name(int version)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (versions[i].version == version)
			return versions[i].name;
	return "?";
}

static int version_index(struct sv word)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (sv_ieqz(word, versions[i].name))
			return (int)i;
	return -1;
}

struct range {
	size_t lo, hi;             /* from ">=" and "<=" */
	unsigned included, banned; /* bits by index */
};

static int take_version(struct range *r, struct sv word, struct err *e)
{
	struct sv name = word;
	char how = '+';
	if (sv_starts(word, SV(">=")) || sv_starts(word, SV("<="))) {
		how = word.p[0];
		name = sv_from(word, 2);
	} else if (sv_starts(word, SV("!"))) {
		how = '!';
		name = sv_from(word, 1);
	}
	int i = version_index(name);
	if (i < 0)
		return err_set(e, ERR_CONFIG, "\"%.*s\" is no protocol version: TLSv1.2 and TLSv1.3 are, with "
			">=, <= or ! in front", SV_ARG(word));
	if (how == '>')
		r->lo = (size_t)i;
	else if (how == '<')
		r->hi = (size_t)i;
	else if (how == '!')
		r->banned |= 1u << i;
	else
		r->included |= 1u << i;
	return 0;
}

int tls_protocols_parse(const char *value, struct tls_protocols *out, struct err *e)
{
	struct range r = { .lo = 0, .hi = VERSIONS - 1 };
	struct sv rest = sv_z(value), word;
	int lo = -1, hi = -1;

	while ((word = tls_next_word(&rest)).len)
		if (take_version(&r, word, e) < 0)
			return -1;
	for (size_t i = FLOOR; i < VERSIONS; i++) {
		bool on = i >= r.lo && i <= r.hi && !(r.banned >> i & 1) && (!r.included || (r.included >> i & 1));
		if (!on)
			continue;
		if (hi >= 0 && (size_t)hi != i - 1)
			return err_set(e, ERR_CONFIG, "\"%s\" leaves a hole between protocol versions", value);
		hi = (int)i;
		lo = lo < 0 ? hi : lo;
	}
	if (lo < 0)
		return err_set(e, ERR_CONFIG, "\"%s\" leaves no protocol version from TLSv1.2 up, and older ones "
			"are not spoken", value);
	*out = (struct tls_protocols){ versions[lo].version, versions[hi].version };
	return 0;
}

/* --- ciphers ------------------------------------------------------------------------------------ */

/* ":!aNULL:!RC4" for "aNULL, RC4" */
static int exclude_words(const char *list, struct buf *out, struct err *e)
{
	struct sv rest = sv_z(list), word;
	while ((word = tls_next_word(&rest)).len) {
		if (word.p[0] == '!' || word.p[0] == '-' || word.p[0] == '+' || word.p[0] == '@')
			return err_set(e, ERR_CONFIG, "excluded ciphers are named without a sign: \"%.*s\"",
				SV_ARG(word));
		if (buf_printf(out, ":!%.*s", SV_ARG(word)) < 0)
			return err_set(e, ERR_CONFIG, "the list of excluded ciphers is too long");
	}
	return 0;
}

int tls_ciphers_compose(const struct tls_grades *g, const char *grade, const char *exclude,
	const char *exclude2, struct buf *out, struct err *e)
{
	const struct {
		const char *name, *list;
	} grades[] = {
		{ "high", g->high },
		{ "medium", g->medium },
		{ "low", g->low },
		{ "export", g->export },
		{ "null", g->null },
	};
	for (size_t i = 0; i < ARRAY_LEN(grades); i++) {
		if (!sv_ieqz(sv_z(grade), grades[i].name))
			continue;
		if (buf_puts(out, grades[i].list) < 0)
			return err_set(e, ERR_CONFIG, "the cipher list of grade %s is too long", grade);
		return exclude_words(exclude, out, e) < 0 ? -1 : exclude_words(exclude2, out, e);
	}
	return err_set(e, ERR_CONFIG, "\"%s\" is no grade of ciphers: high, medium, low, export and null are", grade);
}

/* Can OpenSSL agree on that group? It says so only when it is asked to use it. */
static bool group_known(struct sv name)
{
	char z[64];
	SSL_CTX *probe = SSL_CTX_new(TLS_method());
	bool known = probe && sv_copyz(name, z, sizeof(z)) == 0 && SSL_CTX_set1_groups_list(probe, z) == 1;
	SSL_CTX_free(probe);
	tls_error_clear();
	return known;
}

int tls_groups_compose(const struct tls_curves *c, const char *grade, struct buf *out, struct err *e)
{
	struct sv name = sv_z(grade), rest, word;
	const char *list = sv_ieqz(name, "auto") || sv_ieqz(name, "none") ? c->automatic
		: sv_ieqz(name, "strong") ? c->strong
		: sv_ieqz(name, "ultra")  ? c->ultra
					  : NULL;
	if (!list)
		return err_set(e, ERR_CONFIG, "\"%s\" is no grade of curves: auto, strong, ultra and none are", grade);
	for (rest = sv_z(list); (word = tls_next_word(&rest)).len;)
		if (group_known(word) && buf_printf(out, "%s%.*s", out->len ? ":" : "", SV_ARG(word)) < 0)
			return err_set(e, ERR_CONFIG, "the list of curves is too long");
	if (out->len == 0)
		return err_set(e, ERR_CONFIG, "OpenSSL knows none of the curves \"%s\"", list);
	return 0;
}

/* --- options ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint64_t bits;
} options[] = {
	{ "ALLOW_NO_DHE_KEX", SSL_OP_ALLOW_NO_DHE_KEX },
	{ "CIPHER_SERVER_PREFERENCE", SSL_OP_CIPHER_SERVER_PREFERENCE },
	{ "ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT },
	{ "LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT },
	{ "NO_COMPRESSION", SSL_OP_NO_COMPRESSION },
	{ "NO_ENCRYPT_THEN_MAC", SSL_OP_NO_ENCRYPT_THEN_MAC },
	{ "NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION },
	{ "NO_SESSION_RESUMPTION_ON_RENEGOTIATION", SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION },
	{ "NO_TICKET", SSL_OP_NO_TICKET },
	{ "PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA },
};

int tls_options_parse(const char *value, uint64_t *out, struct err *e)
{
	struct sv rest = sv_z(value), word;
	*out = 0;
	while ((word = tls_next_word(&rest)).len) {
		size_t i = 0;
		char z[40], *end;
		while (i < ARRAY_LEN(options) && !sv_ieqz(word, options[i].name))
			i++;
		if (i < ARRAY_LEN(options)) {
			*out |= options[i].bits;
			continue;
		}
		if (!sv_istarts(word, SV("0x")) || sv_copyz(word, z, sizeof(z)) < 0 ||
			(*out |= strtoull(z, &end, 16), *end != '\0'))
			return err_set(e, ERR_CONFIG, "\"%.*s\" is no option of this version: see tls_ssl_options "
				"in main.cf(5)", SV_ARG(word));
	}
	return 0;
}
