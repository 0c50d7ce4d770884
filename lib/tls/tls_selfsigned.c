#include "lib/tls/tls_selfsigned.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/tls/tls_error.h"

static int add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	int ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static int set_names(X509 *x, const char *const *names, size_t n)
{
	struct buf alt;
	X509_NAME *subject = X509_get_subject_name(x);
	size_t len = strlen(names[0]);
	buf_init(&alt, 4096);
	for (size_t i = 0; i < n; i++)
		buf_printf(&alt, "%sDNS:%s", i ? "," : "", names[i]);
	/* a common name holds 64 octets (RFC 5280 A.1); the whole name is in the other place */
	int ok = !alt.overflow && add_extension(x, NID_subject_alt_name, buf_z(&alt)) &&
		X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)names[0],
			len < 64 ? (int)len : 64, -1, 0) == 1 &&
		X509_set_issuer_name(x, subject) == 1;
	buf_free(&alt);
	return ok;
}

static int set_serial(X509 *x)
{
	unsigned char octets[16];
	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return 0;
	octets[0] = (unsigned char)((octets[0] & 0x7f) | 0x40); /* positive, and not shorter */
	BIGNUM *n = BN_bin2bn(octets, sizeof(octets), NULL);
	int ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static int fill(X509 *x, EVP_PKEY *key, const char *const *names, size_t n)
{
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
		X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
		X509_time_adj_ex(X509_getm_notAfter(x), TLS_SELFSIGNED_DAYS, 0, NULL) &&
		X509_set_pubkey(x, key) == 1 && set_names(x, names, n) &&
		add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()) > 0;
}

static int to_buf(BIO *from, struct buf *out)
{
	char *p;
	long len = BIO_get_mem_data(from, &p);
	return len > 0 ? buf_put(out, p, (size_t)len) : -1;
}

int tls_selfsigned(const char *const *names, size_t n, struct buf *key_out, struct buf *cert_out, struct err *e)
{
	tls_error_clear();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *k = BIO_new(BIO_s_secmem()), *c = BIO_new(BIO_s_mem());
	int rc = -1;
	if (key && x && k && c && fill(x, key, names, n) &&
		PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 && PEM_write_bio_X509(c, x) == 1 &&
		to_buf(k, key_out) == 0 && to_buf(c, cert_out) == 0)
		rc = 0;
	if (rc < 0)
		tls_error_take(e, ERR_TEMP, "no certificate for %s could be made", names[0]);
	BIO_free(k);
	BIO_free(c);
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
