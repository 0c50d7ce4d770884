/*
 * A certificate that an instance signs itself, so that TLS works from the first start: tls/key.pem and tls/cert.pem.
 * Nobody stands for it; an admin with one of an authority names that in smtpd_tls_chain_files instead.
 */
#include <errno.h>

#include "admin/merpati/merpati.h"
#include "lib/sys/sys.h"
#include "lib/tls/tls_selfsigned.h"

static int write_pair(int dir, const struct buf *key, const struct buf *cert, struct err *e)
{
	if (init_write_file(dir, "key.pem", 0600, buf_sv(key), e) < 0 ||
	        init_write_file(dir, "cert.pem", 0644, buf_sv(cert), e) < 0)
		return -1;
	return sys_fsync(dir) < 0 ? err_sys(e, errno, "fsync tls") : 0;
}

int init_tls(const char *path, const char *host, const char *domain, struct err *e)
{
	const char *const names[] = { host, domain, "localhost" };
	struct buf key, cert;
	char tls[4200];
	snprintf(tls, sizeof tls, "%s/tls", path);
	int dir = sys_open(tls, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir < 0)
		return err_sys(e, errno, "open %s", tls);
	buf_init(&key, 16384);
	buf_init(&cert, 16384);
	int rc = tls_selfsigned(names, ARRAY_LEN(names), &key, &cert, e);
	if (rc == 0)
		rc = write_pair(dir, &key, &cert, e);
	if (key.p)
		explicit_bzero(key.p, key.cap);
	buf_free(&key);
	buf_free(&cert);
	sys_close(dir);
	return rc;
}
