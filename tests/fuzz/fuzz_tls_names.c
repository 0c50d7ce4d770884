/* links: tls */
/*
 * What strangers and tables say about TLS: the name that a client asks for, a name in a certificate, a policy.
 * The first octet chooses; a name in a certificate is compared with what stands behind the first NUL.
 */
#include <stdlib.h>

#include "lib/tls/tls_ctx.h"
#include "lib/tls/tls_match.h"
#include "lib/tls/tls_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void asked(struct sv s)
{
	char out[256], again[256];
	if (tls_sni_name(s, out) != 1)
		return;
	/* nothing that a path or a pattern could be made of, and its own canonical form */
	require(strlen(out) == s.len && !strpbrk(out, "/\\*%$ ") && !strstr(out, "..") && out[0] != '.');
	require(tls_sni_name(sv_z(out), again) == 1 && strcmp(out, again) == 0);
}

static void compared(struct sv s)
{
	struct sv wanted = sv_take_until(&s, '\0');
	if (!tls_name_fits(wanted, s, false))
		return;
	require(tls_name_fits(wanted, s, true)); /* a wildcard for more fits more */
	require(sv_chr(s, '\0') < 0);
	/* one name fits another only when they share their end: what is behind the wildcard, or all of it */
	struct sv tail = sv_starts(s, SV("*.")) ? sv_from(s, 1) : s;
	if (sv_ends(tail, SV(".")))
		tail = sv_upto(tail, tail.len - 1);
	if (sv_ends(wanted, SV(".")))
		wanted = sv_upto(wanted, wanted.len - 1);
	require(sv_iends(wanted, tail) || (sv_starts(wanted, SV(".")) && sv_iends(tail, wanted)));
}

static void policy(struct sv s)
{
	struct tls_policy p;
	struct err e = ERR_INIT;
	if (tls_policy_parse(s, &p, &e) < 0) {
		require(e.cls == ERR_CONFIG && e.text[0]);
		return;
	}
	require(p.nmatch <= TLS_POLICY_MATCH_MAX && (p.nmatch == 0 || p.level >= TLS_LEVEL_FINGERPRINT));
	for (size_t i = 0; i < p.nmatch; i++)
		require(p.match[i].len > 0 && p.match[i].p >= s.p && p.match[i].p + p.match[i].len <= s.p + s.len);
}

static void words(struct sv s)
{
	char z[2048];
	struct tls_protocols p = { 0, 0 };
	uint64_t bits;
	struct err e = ERR_INIT;
	if (sv_copyz(s, z, sizeof(z)) < 0)
		return;
	if (tls_protocols_parse(z, &p, &e) == 0)
		require(p.min >= 0x303 && p.max <= 0x304 && p.min <= p.max);
	else
		require(e.cls == ERR_CONFIG);
	(void)!tls_options_parse(z, &bits, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct sv s = sv_n((const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'n': asked(s); break;
	case 'c': compared(s); break;
	case 'p': policy(s); break;
	default: words(s); break;
	}
	return 0;
}
