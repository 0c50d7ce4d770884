#include "lib/tls/tls_verify.h"

#include <openssl/x509v3.h>

#include "lib/tls/tls_match.h"

static bool fits(const struct tls_client_policy *p, struct sv name, struct tls_facts *f)
{
	for (size_t i = 0; i < p->nmatch; i++)
		if (tls_name_fits(sv_z(p->match[i]), name, p->wildcard_many)) {
			if (sv_copyz(sv_upto(name, TLS_NAME_MAX - 1), f->matched, sizeof(f->matched)) < 0)
				f->matched[0] = '\0';
			return true;
		}
	return false;
}

/* A dNSName with a NUL inside reads as another one to those who stop there: it is no name. */
static struct sv dns_name(const GENERAL_NAME *g)
{
	const ASN1_IA5STRING *a = g->d.dNSName;
	struct sv name = sv_n((const char *)ASN1_STRING_get0_data(a), (size_t)ASN1_STRING_length(a));
	return sv_chr(name, '\0') < 0 ? name : SV_NONE;
}

/* RFC 6125 6.4.4: the common name counts only where there is no dNSName at all. */
static bool name_matches(X509 *cert, const struct tls_client_policy *p, struct tls_facts *f)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool dns = false, found = false;
	for (int i = 0; all && i < sk_GENERAL_NAME_num(all) && !found; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		if (g->type != GEN_DNS)
			continue;
		dns = true;
		found = fits(p, dns_name(g), f);
	}
	GENERAL_NAMES_free(all);
	return found || (!dns && f->subject[0] && fits(p, sv_z(f->subject), f));
}

static int check_fingerprint(const struct tls_client_policy *p, struct tls_facts *f, struct err *e)
{
	for (size_t i = 0; i < p->nfingerprint; i++)
		if (sv_ieqz(sv_z(p->fingerprint[i]), f->cert_fingerprint) ||
			sv_ieqz(sv_z(p->fingerprint[i]), f->key_fingerprint)) {
			f->peer = TLS_PEER_VERIFIED;
			return 0;
		}
	return err_set(e, ERR_TEMP, "Server certificate not verified: its fingerprint is %s, that of its public "
		"key %s", f->cert_fingerprint, f->key_fingerprint);
}

int tls_verify_server(SSL *ssl, const struct tls_client_policy *p, struct tls_facts *f, struct err *e)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	bool strict = p->level >= TLS_LEVEL_VERIFY;
	int rc = 0;
	if (!cert) {
		rc = p->level >= TLS_LEVEL_FINGERPRINT ? err_set(e, ERR_TEMP, "Server certificate not presented") : 0;
	} else if (p->level == TLS_LEVEL_FINGERPRINT) {
		rc = check_fingerprint(p, f, e);
	} else if (f->peer != TLS_PEER_TRUSTED) {
		rc = strict ? err_set(e, ERR_TEMP, "Server certificate not trusted: %s", f->untrusted_why) : 0;
	} else if (name_matches(cert, p, f)) {
		f->peer = TLS_PEER_VERIFIED;
	} else if (strict) {
		rc = err_set(e, ERR_TEMP, "Server certificate not verified: it is not for %s%s (CN %s)",
			p->nmatch ? p->match[0] : "any name", p->nmatch > 1 ? " or the others allowed" : "",
			f->subject[0] ? f->subject : "none");
	}
	X509_free(cert);
	return rc;
}
