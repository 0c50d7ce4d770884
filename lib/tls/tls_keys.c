#include "lib/tls/tls_keys_private.h"

#include <errno.h>
#include <fcntl.h>

#include <openssl/pem.h>

#include "lib/sys/sys.h"
#include "lib/tls/tls_error.h"
#include "lib/tls/tls_param.h"

#define WARNINGS_MAX 8

struct pair {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * chain;
	char *key_name; /* file that it came from */
};

struct tls_keys {
	unsigned refs;
	struct pair pair[TLS_KEYS_MAX];
	size_t n;
	char *warning[WARNINGS_MAX];
	size_t nwarnings;
};

bool tls_key_files_none(const struct tls_key_files *f)
{
	const char *all[] = { f->chain_files, f->cert, f->eccert, f->dcert };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] && all[i][0] && strcmp(all[i], "none") != 0)
			return false;
	return true;
}

struct tls_keys *tls_keys_hold(struct tls_keys *k)
{
	k->refs++;
	return k;
}

void tls_keys_free(struct tls_keys *k)
{
	if (!k || --k->refs > 0)
		return;
	for (size_t i = 0; i < k->n; i++) {
		EVP_PKEY_free(k->pair[i].key);
		X509_free(k->pair[i].leaf);
		sk_X509_pop_free(k->pair[i].chain, X509_free);
		free(k->pair[i].key_name);
	}
	for (size_t i = 0; i < k->nwarnings; i++)
		free(k->warning[i]);
	free(k);
}

size_t tls_keys_count(const struct tls_keys *k)
{
	return k->n;
}

const char *tls_keys_warning(const struct tls_keys *k, size_t i)
{
	return i < k->nwarnings ? k->warning[i] : NULL;
}

static PRINTF_LIKE(2, 3) void warn(struct tls_keys *k, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (k->nwarnings < WARNINGS_MAX)
		k->warning[k->nwarnings++] = mem_strdup(text);
}

int tls_read_file(const char *path, struct buf *out, unsigned *mode, struct err *e)
{
	struct stat st;
	int fd = sys_open(path, O_RDONLY, 0), rc = -1;
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (sys_fstat(fd, &st) < 0)
		err_sys(e, errno, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)TLS_KEYS_FILE_MAX)
		err_set(e, ERR_CONFIG, "%s: not a plain file, or larger than %u octets", path, TLS_KEYS_FILE_MAX);
	else {
		size_t size = (size_t)st.st_size;
		char *room = size ? buf_room(out, size) : NULL;
		if (size && (!room || sys_pread_all(fd, room, size, 0) < 0))
			err_sys(e, room ? errno : EFBIG, "%s", path);
		else
			rc = 0;
		if (rc == 0 && size)
			buf_added(out, size);
		if (mode)
			*mode = st.st_mode;
	}
	sys_close(fd);
	return rc;
}

/* Secrets are not left in freed memory. */
static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

/* --- PEM ---------------------------------------------------------------------------------------- */

static struct pair *add_pair(struct tls_keys *k, struct err *e)
{
	if (k->n == TLS_KEYS_MAX) {
		err_set(e, ERR_CONFIG, "more than %d keys", TLS_KEYS_MAX);
		return NULL;
	}
	struct pair *p = &k->pair[k->n++];
	p->chain = sk_X509_new_null();
	return p;
}

/* No password is ever asked for: nobody sits at a daemon's terminal. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int take_key(struct tls_keys *k, const char *name, BIO *one, struct err *e)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(one, NULL, no_password, NULL);
	if (!key)
		return tls_error_take(e, ERR_CONFIG, "%s: the private key cannot be read (one with a password is of "
			"no use here)", name);
	struct pair *p = add_pair(k, e);
	if (!p) {
		EVP_PKEY_free(key);
		return err_prefix(e, "%s", name);
	}
	p->key = key;
	p->key_name = mem_strdup(name);
	return 0;
}

static int take_certificate(struct pair *p, const char *name, BIO *one, struct err *e)
{
	X509 *x = PEM_read_bio_X509_AUX(one, NULL, no_password, NULL);
	if (!x)
		return tls_error_take(e, ERR_CONFIG, "%s: a certificate cannot be read", name);
	if (p->leaf) {
		sk_X509_push(p->chain, x);
		return 0;
	}
	p->leaf = x;
	return 0;
}

static bool is_key(const char *type)
{
	size_t n = strlen(type), suffix = sizeof("PRIVATE KEY") - 1;
	return n >= suffix && strcmp(type + n - suffix, "PRIVATE KEY") == 0;
}

enum want { WANT_CERTS = 1, WANT_KEYS = 2 };

/* Every object of PEM that WANT names, in order; INTO is where certificates go that no key stands before. */
static int take_all(struct tls_keys *k, struct pair *into, const char *name, struct sv pem, unsigned want,
	struct err *e)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	char *type = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	int rc = 0;

	while (rc == 0 && PEM_read_bio(in, &type, &header, &der, &len) == 1) {
		bool key = is_key(type), cert = strstr(type, "CERTIFICATE") != NULL && !strstr(type, "REQUEST");
		if ((key && (want & WANT_KEYS)) || (cert && (want & WANT_CERTS))) {
			BIO *one = BIO_new(BIO_s_mem());
			PEM_write_bio(one, type, header, der, len);
			if (key)
				rc = take_key(k, name, one, e);
			else if (!into && k->n == 0)
				rc = err_set(e, ERR_CONFIG, "%s: a certificate stands before its private key: put "
					"the key first", name);
			else
				rc = take_certificate(into ? into : &k->pair[k->n - 1], name, one, e);
			BIO_free(one);
		}
		OPENSSL_free(type);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
	}
	BIO_free(in);
	tls_error_clear(); /* "no start line": that is the end */
	return rc;
}

/* --- what belongs together ---------------------------------------------------------------------- */

static const char *algorithm(const EVP_PKEY *key)
{
	const char *name = EVP_PKEY_get0_type_name(key);
	return name ? name : "unknown";
}

static void check_dates(struct tls_keys *k, const X509 *leaf, const char *name)
{
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		warn(k, "%s: the certificate has expired: clients that check will refuse it", name);
	else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		warn(k, "%s: the certificate is not valid yet", name);
}

static int check_pairs(struct tls_keys *k, struct err *e)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct pair *p = &k->pair[i];
		const char *name = p->key_name ? p->key_name : "?";
		if (!p->leaf)
			return err_set(e, ERR_CONFIG, "%s: there is a private key (%s), but no certificate for it",
				name, algorithm(p->key));
		if (X509_check_private_key(p->leaf, p->key) != 1) {
			tls_error_clear();
			return err_set(e, ERR_CONFIG, "%s: the private key (%s) does not belong to the certificate",
				name, algorithm(p->key));
		}
		for (size_t j = 0; j < i; j++)
			if (EVP_PKEY_get_id(k->pair[j].key) == EVP_PKEY_get_id(p->key))
				return err_set(e, ERR_CONFIG, "%s: a second %s key: one of each algorithm is used",
					name, algorithm(p->key));
		check_dates(k, p->leaf, name);
	}
	return k->n ? 0 : err_set(e, ERR_CONFIG, "no private key");
}

static struct tls_keys *make(void)
{
	struct tls_keys *k = mem_alloc(sizeof(*k));
	k->refs = 1;
	return k;
}

static struct tls_keys *done(struct tls_keys *k, int rc)
{
	if (rc == 0)
		return k;
	tls_keys_free(k);
	return NULL;
}

struct tls_keys *tls_keys_parse(const char *name, struct sv pem, struct err *e)
{
	struct tls_keys *k = make();
	if (pem.len > TLS_KEYS_FILE_MAX)
		return done(k, err_set(e, ERR_CONFIG, "%s: too large", name));
	int rc = take_all(k, NULL, name, pem, WANT_CERTS | WANT_KEYS, e);
	if (rc == 0 && k->n == 0)
		rc = err_set(e, ERR_CONFIG, "%s: there is no private key in it", name);
	return done(k, rc < 0 ? rc : check_pairs(k, e));
}

/* --- files -------------------------------------------------------------------------------------- */

static int read_chain_file(struct tls_keys *k, struct sv path, struct err *e)
{
	char z[4096];
	struct buf pem;
	unsigned mode = 0;
	size_t before = k->n;
	if (sv_copyz(path, z, sizeof(z)) < 0)
		return err_set(e, ERR_CONFIG, "a file name is too long");
	buf_init(&pem, TLS_KEYS_FILE_MAX + 1);
	int rc = tls_read_file(z, &pem, &mode, e);
	if (rc == 0)
		rc = take_all(k, NULL, z, buf_sv(&pem), WANT_CERTS | WANT_KEYS, e);
	if (rc == 0 && k->n > before && (mode & 04))
		warn(k, "%s: everybody on this machine may read this private key: chmod o-r %s", z, z);
	wipe(&pem);
	return rc;
}

static int read_pair(struct tls_keys *k, const char *cert, const char *key, struct err *e)
{
	struct buf pem;
	unsigned mode = 0;
	size_t before = k->n;
	if (!cert || !cert[0] || strcmp(cert, "none") == 0)
		return 0;
	if (!key || !key[0])
		key = cert;
	buf_init(&pem, TLS_KEYS_FILE_MAX + 1);
	int rc = tls_read_file(key, &pem, &mode, e);
	if (rc == 0)
		rc = take_all(k, NULL, key, buf_sv(&pem), WANT_KEYS, e);
	wipe(&pem);
	if (rc == 0 && k->n != before + 1)
		rc = err_set(e, ERR_CONFIG, "%s: %s private key in it", key, k->n == before ? "there is no" :
			"there is more than one");
	buf_init(&pem, TLS_KEYS_FILE_MAX + 1);
	if (rc == 0 && (mode & 04))
		warn(k, "%s: everybody on this machine may read this private key: chmod o-r %s", key, key);
	if (rc == 0)
		rc = tls_read_file(cert, &pem, NULL, e);
	if (rc == 0)
		rc = take_all(k, &k->pair[k->n - 1], cert, buf_sv(&pem), WANT_CERTS, e);
	if (rc == 0 && !k->pair[k->n - 1].leaf)
		rc = err_set(e, ERR_CONFIG, "%s: there is no certificate in it", cert);
	wipe(&pem);
	return rc;
}

struct tls_keys *tls_keys_open(const struct tls_key_files *f, struct err *e)
{
	struct tls_keys *k = make();
	int rc = 0;
	if (f->chain_files && f->chain_files[0]) {
		struct sv rest = sv_z(f->chain_files), word;
		while (rc == 0 && (word = sv_take_word(&rest)).len)
			while (rc == 0 && word.len) {
				struct sv path = sv_take_until(&word, ',');
				if (path.len)
					rc = read_chain_file(k, path, e);
			}
	} else {
		const char *const pairs[][2] = { { f->cert, f->key }, { f->eccert, f->eckey }, { f->dcert, f->dkey } };
		for (size_t i = 0; rc == 0 && i < ARRAY_LEN(pairs); i++)
			rc = read_pair(k, pairs[i][0], pairs[i][1], e);
	}
	if (rc == 0 && k->n == 0)
		rc = err_set(e, ERR_CONFIG, "no private key was found%s%s", f->chain_files && f->chain_files[0] ?
			" in " : "", f->chain_files ? f->chain_files : "");
	return done(k, rc < 0 ? rc : check_pairs(k, e));
}

/* --- use ---------------------------------------------------------------------------------------- */

int tls_keys_to_ctx(const struct tls_keys *k, SSL_CTX *ctx, struct err *e)
{
	tls_error_clear();
	for (size_t i = 0; i < k->n; i++)
		if (SSL_CTX_use_cert_and_key(ctx, k->pair[i].leaf, k->pair[i].key, k->pair[i].chain, 1) != 1)
			return tls_error_take(e, ERR_CONFIG, "%s: OpenSSL does not take this certificate",
				k->pair[i].key_name);
	return 0;
}

int tls_keys_to_ssl(const struct tls_keys *k, SSL *ssl, struct err *e)
{
	tls_error_clear();
	SSL_certs_clear(ssl);
	for (size_t i = 0; i < k->n; i++)
		if (SSL_use_cert_and_key(ssl, k->pair[i].leaf, k->pair[i].key, k->pair[i].chain, 1) != 1)
			return tls_error_take(e, ERR_CONFIG, "%s: OpenSSL does not take this certificate",
				k->pair[i].key_name);
	return 0;
}
