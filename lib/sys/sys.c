#include "lib/sys/sys.h"

#include <errno.h>

#ifdef MERPATI_FAULTS
#include "lib/sys/fault.h"

#define HOOK(s, dir, path, fd)                                  \
	int fault = fault_at((s), (dir), (path), (fd));         \
	if (fault > 0) {                                        \
		errno = fault;                                  \
		return -1;                                      \
	}
#define SHORTENED(n) (fault == FAULT_SHORT && (n) > 1 ? (n) / 2 : (n))
#else
#define HOOK(s, dir, path, fd) (void)(s);
#define SHORTENED(n)           (n)
#endif

#define RETRY(expr)                                    \
	({                                             \
		__typeof__(expr) r_;                   \
		do                                     \
			r_ = (expr);                   \
		while (r_ < 0 && errno == EINTR);      \
		r_;                                    \
	})

int sys_openat_(struct fault_site *s, int dir, const char *path, int flags, mode_t mode)
{
	HOOK(s, dir, path, -1)
	return RETRY(openat(dir, path, flags | O_CLOEXEC, mode));
}

ssize_t sys_read_(struct fault_site *s, int fd, void *p, size_t n)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(read(fd, p, SHORTENED(n)));
}

ssize_t sys_pread_(struct fault_site *s, int fd, void *p, size_t n, off_t off)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(pread(fd, p, SHORTENED(n), off));
}

ssize_t sys_write_(struct fault_site *s, int fd, const void *p, size_t n)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(write(fd, p, SHORTENED(n)));
}

ssize_t sys_pwrite_(struct fault_site *s, int fd, const void *p, size_t n, off_t off)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(pwrite(fd, p, SHORTENED(n), off));
}

ssize_t sys_writev_(struct fault_site *s, int fd, const struct iovec *iov, int n)
{
	HOOK(s, -1, NULL, fd)
#ifdef MERPATI_FAULTS
	if (fault == FAULT_SHORT && n > 0) /* part of the first piece only */
		return RETRY(write(fd, iov[0].iov_base, SHORTENED(iov[0].iov_len)));
#endif
	return RETRY(writev(fd, iov, n));
}

int sys_fsync_(struct fault_site *s, int fd)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(fsync(fd));
}

ssize_t sys_pread_cached(int fd, void *p, size_t n, off_t off)
{
	struct iovec v = { .iov_base = p, .iov_len = n };
	ssize_t got = RETRY(preadv2(fd, &v, 1, off, RWF_NOWAIT));
	if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		errno = EAGAIN;
	return got;
}

void sys_writeout_start(int fd)
{
	int saved = errno;
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	errno = saved;
}

int sys_fdatasync_(struct fault_site *s, int fd)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(fdatasync(fd));
}

int sys_ftruncate_(struct fault_site *s, int fd, off_t len)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(ftruncate(fd, len));
}

int sys_fchmod_(struct fault_site *s, int fd, mode_t mode)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(fchmod(fd, mode));
}

int sys_renameat_(struct fault_site *s, int d1, const char *a, int d2, const char *b)
{
	HOOK(s, d2, b, -1)
	return RETRY(renameat(d1, a, d2, b));
}

int sys_linkat_(struct fault_site *s, int d1, const char *a, int d2, const char *b)
{
	HOOK(s, d2, b, -1)
	return RETRY(linkat(d1, a, d2, b, 0));
}

int sys_unlinkat_(struct fault_site *s, int d, const char *a, int flags)
{
	HOOK(s, d, a, -1)
	return RETRY(unlinkat(d, a, flags));
}

int sys_mkdirat_(struct fault_site *s, int d, const char *a, mode_t mode)
{
	HOOK(s, d, a, -1)
	return RETRY(mkdirat(d, a, mode));
}

int sys_fstatat_(struct fault_site *s, int d, const char *a, struct stat *st, int flags)
{
	HOOK(s, d, *a ? a : NULL, d)
	return RETRY(fstatat(d, a, st, flags));
}

int sys_connect_(struct fault_site *s, int fd, const struct sockaddr *sa, socklen_t len)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(connect(fd, sa, len));
}

ssize_t sys_sendmsg_(struct fault_site *s, int fd, const struct msghdr *m, int flags)
{
	HOOK(s, -1, NULL, fd)
#ifdef MERPATI_FAULTS
	if (fault == FAULT_SHORT && m->msg_iovlen > 0) {
		struct iovec first = { m->msg_iov[0].iov_base, SHORTENED(m->msg_iov[0].iov_len) };
		struct msghdr part = *m;
		part.msg_iov = &first;
		part.msg_iovlen = 1;
		return RETRY(sendmsg(fd, &part, flags | MSG_NOSIGNAL));
	}
#endif
	return RETRY(sendmsg(fd, m, flags | MSG_NOSIGNAL));
}

ssize_t sys_recvmsg_(struct fault_site *s, int fd, struct msghdr *m, int flags)
{
	HOOK(s, -1, NULL, fd)
	return RETRY(recvmsg(fd, m, flags | MSG_CMSG_CLOEXEC));
}

int sys_write_all_(struct fault_site *s, int fd, const void *p, size_t n)
{
	const char *at = p;
	while (n > 0) {
		ssize_t w = sys_write_(s, fd, at, n);
		if (w < 0)
			return -1;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

int sys_pwrite_all_(struct fault_site *s, int fd, const void *p, size_t n, off_t off)
{
	const char *at = p;
	while (n > 0) {
		ssize_t w = sys_pwrite_(s, fd, at, n, off);
		if (w < 0)
			return -1;
		at += w;
		off += w;
		n -= (size_t)w;
	}
	return 0;
}

int sys_pread_all_(struct fault_site *s, int fd, void *p, size_t n, off_t off)
{
	char *at = p;
	while (n > 0) {
		ssize_t r = sys_pread_(s, fd, at, n, off);
		if (r < 0)
			return -1;
		if (r == 0) {
			errno = EIO;
			return -1;
		}
		at += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

void sys_close(int fd)
{
	int keep = errno;
	if (fd >= 0)
		(void)close(fd);
	errno = keep;
}
