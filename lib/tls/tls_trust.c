#include "lib/tls/tls_trust_private.h"

#include <dirent.h>
#include <errno.h>

#include <openssl/pem.h>

#include "lib/sys/sys.h"
#include "lib/tls/tls_error.h"
#include "lib/tls/tls_keys_private.h"

static int add_all(X509_STORE *store, struct sv pem)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *x;
	int n = 0;
	while ((x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(in);
	tls_error_clear();
	return n;
}

int tls_trust_file(X509_STORE *store, const char *path, struct err *e)
{
	struct buf pem;
	buf_init(&pem, TLS_KEYS_FILE_MAX + 1);
	int n = tls_read_file(path, &pem, NULL, e);
	if (n == 0)
		n = add_all(store, buf_sv(&pem));
	if (n == 0)
		n = err_set(e, ERR_CONFIG, "%s: there is no certificate in it", path);
	buf_free(&pem);
	return n;
}

/* Files that hold no certificate are passed over: such directories have a README, and links by hash. */
static int add_directory(X509_STORE *store, const char *path, struct err *e)
{
	DIR *d = opendir(path);
	int total = 0;
	if (!d)
		return err_sys(e, errno, "%s", path);
	for (struct dirent *en; (en = readdir(d));) {
		char file[4096];
		struct stat st;
		struct err ignored = ERR_INIT;
		if (en->d_name[0] == '.' ||
			snprintf(file, sizeof(file), "%s/%s", path, en->d_name) >= (int)sizeof(file) ||
			stat(file, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		int n = tls_trust_file(store, file, &ignored);
		total += n > 0 ? n : 0;
	}
	closedir(d);
	return total ? 0 : err_set(e, ERR_CONFIG, "%s: no file in this directory holds a certificate", path);
}

int tls_trust_load(const struct tls_trust *t, SSL_CTX *ctx, bool tell, struct err *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	tls_error_clear();
	if (t->file && t->file[0]) {
		if (tls_trust_file(store, t->file, e) < 0)
			return -1;
		STACK_OF(X509_NAME) *names = tell ? SSL_load_client_CA_file(t->file) : NULL;
		if (names)
			SSL_CTX_set_client_CA_list(ctx, names);
		tls_error_clear();
	}
	if (t->path && t->path[0] && add_directory(store, t->path, e) < 0)
		return -1;
	if (t->append_defaults) {
		const char *file = getenv(X509_get_default_cert_file_env());
		const char *dir = X509_get_default_cert_dir();
		struct err absent = ERR_INIT;
		if (!file)
			file = X509_get_default_cert_file();
		/* a system without one of the two is complete */
		if (tls_trust_file(store, file, &absent) < 0 && add_directory(store, dir, e) < 0)
			return err_prefix(e, "tls_append_default_CA");
	}
	return 0;
}
