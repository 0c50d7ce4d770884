/*
 * lib/sys/sys.h - raw system calls behind thin wrappers, each call site with a fault hook in test builds.
 *
 * Layer:  sys.
 * Errors: as the system call: -1 and errno. EINTR is retried here, except by sys_poll().
 *
 * All code that changes state on disk, or talks to a peer, calls these and not libc. With
 * MERPATI_FAULTS each call site is a point where a test may make the call fail: see lib/sys/fault.h.
 * Without it the wrappers are plain calls.
 */
#ifndef SYS_SYS_H
#define SYS_SYS_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "lib/base/attr.h"

struct fault_site;

#ifdef MERPATI_FAULTS
struct fault_site {
	const char *file;
	const char *call;
	const char *function;
	int line;
	bool reported;
	unsigned long count;
};

/* Each expansion is one static site, enumerable through its section. */
#define SYS_SITE(callname)                                                              \
	({                                                                              \
		static struct fault_site site_                                          \
			__attribute__((section("fault_sites"), used, aligned(8))) = {   \
				.file = __FILE__, .call = callname,                     \
				.function = __func__, .line = __LINE__ };               \
		&site_;                                                                 \
	})
#else
#define SYS_SITE(callname) ((struct fault_site *)0)
#endif

#define sys_open(path, flags, mode) sys_openat_(SYS_SITE("open"), AT_FDCWD, (path), (flags), (mode))
#define sys_openat(dir, path, flags, mode) \
	sys_openat_(SYS_SITE("open"), (dir), (path), (flags), (mode))
#define sys_read(fd, p, n)            sys_read_(SYS_SITE("read"), (fd), (p), (n))
#define sys_pread(fd, p, n, off)      sys_pread_(SYS_SITE("pread"), (fd), (p), (n), (off))
#define sys_write(fd, p, n)           sys_write_(SYS_SITE("write"), (fd), (p), (n))
#define sys_pwrite(fd, p, n, off)     sys_pwrite_(SYS_SITE("pwrite"), (fd), (p), (n), (off))
#define sys_writev(fd, iov, n)        sys_writev_(SYS_SITE("writev"), (fd), (iov), (n))
#define sys_fsync(fd)                 sys_fsync_(SYS_SITE("fsync"), (fd))
#define sys_fdatasync(fd)             sys_fdatasync_(SYS_SITE("fdatasync"), (fd))
#define sys_ftruncate(fd, len)        sys_ftruncate_(SYS_SITE("ftruncate"), (fd), (len))
#define sys_fchmod(fd, mode)          sys_fchmod_(SYS_SITE("fchmod"), (fd), (mode))
#define sys_renameat(d1, a, d2, b)    sys_renameat_(SYS_SITE("rename"), (d1), (a), (d2), (b))
#define sys_rename(a, b)              sys_renameat_(SYS_SITE("rename"), AT_FDCWD, (a), AT_FDCWD, (b))
#define sys_linkat(d1, a, d2, b)      sys_linkat_(SYS_SITE("link"), (d1), (a), (d2), (b))
#define sys_unlinkat(d, a, flags)     sys_unlinkat_(SYS_SITE("unlink"), (d), (a), (flags))
#define sys_unlink(a)                 sys_unlinkat_(SYS_SITE("unlink"), AT_FDCWD, (a), 0)
#define sys_mkdirat(d, a, mode)       sys_mkdirat_(SYS_SITE("mkdir"), (d), (a), (mode))
#define sys_mkdir(a, mode)            sys_mkdirat_(SYS_SITE("mkdir"), AT_FDCWD, (a), (mode))
#define sys_fstatat(d, a, st, flags)  sys_fstatat_(SYS_SITE("stat"), (d), (a), (st), (flags))
#define sys_fstat(fd, st)             sys_fstatat_(SYS_SITE("stat"), (fd), "", (st), AT_EMPTY_PATH)
#define sys_connect(fd, sa, len)      sys_connect_(SYS_SITE("connect"), (fd), (sa), (len))
#define sys_sendmsg(fd, m, flags)     sys_sendmsg_(SYS_SITE("sendmsg"), (fd), (m), (flags))
#define sys_recvmsg(fd, m, flags)     sys_recvmsg_(SYS_SITE("recvmsg"), (fd), (m), (flags))

int sys_openat_(struct fault_site *s, int dir, const char *path, int flags, mode_t mode); /* adds O_CLOEXEC */
ssize_t sys_read_(struct fault_site *s, int fd, void *p, size_t n);
ssize_t sys_pread_(struct fault_site *s, int fd, void *p, size_t n, off_t off);
ssize_t sys_write_(struct fault_site *s, int fd, const void *p, size_t n);
ssize_t sys_pwrite_(struct fault_site *s, int fd, const void *p, size_t n, off_t off);
ssize_t sys_writev_(struct fault_site *s, int fd, const struct iovec *iov, int n);
int sys_fsync_(struct fault_site *s, int fd);
int sys_fdatasync_(struct fault_site *s, int fd);
int sys_ftruncate_(struct fault_site *s, int fd, off_t len);
int sys_fchmod_(struct fault_site *s, int fd, mode_t mode);
int sys_renameat_(struct fault_site *s, int d1, const char *a, int d2, const char *b);
int sys_linkat_(struct fault_site *s, int d1, const char *a, int d2, const char *b);
int sys_unlinkat_(struct fault_site *s, int d, const char *a, int flags);
int sys_mkdirat_(struct fault_site *s, int d, const char *a, mode_t mode);
int sys_fstatat_(struct fault_site *s, int d, const char *a, struct stat *st, int flags);
int sys_connect_(struct fault_site *s, int fd, const struct sockaddr *sa, socklen_t len);
ssize_t sys_sendmsg_(struct fault_site *s, int fd, const struct msghdr *m, int flags);
ssize_t sys_recvmsg_(struct fault_site *s, int fd, struct msghdr *m, int flags);

/* Loops over sys_write/sys_pwrite/sys_pread of the caller's site until all N octets are through.
 * 0 done; -1 with errno (EIO when a read meets the end early). */
#define sys_write_all(fd, p, n)       sys_write_all_(SYS_SITE("write"), (fd), (p), (n))
#define sys_pwrite_all(fd, p, n, off) sys_pwrite_all_(SYS_SITE("pwrite"), (fd), (p), (n), (off))
#define sys_pread_all(fd, p, n, off)  sys_pread_all_(SYS_SITE("pread"), (fd), (p), (n), (off))
int sys_write_all_(struct fault_site *s, int fd, const void *p, size_t n);
int sys_pwrite_all_(struct fault_site *s, int fd, const void *p, size_t n, off_t off);
int sys_pread_all_(struct fault_site *s, int fd, void *p, size_t n, off_t off);

/*
 * Not hooked: what of [OFF, OFF + N) is in memory already. > 0 octets; 0 end of file; -1: a read would wait
 * for the disk, or this file system cannot tell (EAGAIN), or another error: ask sys_pread_all() in a thread.
 */
ssize_t sys_pread_cached(int fd, void *p, size_t n, off_t off);
/* Not hooked, a hint: begin to write out what FD has dirty; the fsync that follows waits and tells errors. */
void sys_writeout_start(int fd);
/* Not hooked: close never reports what fsync would; keeps errno; -1 is ignored. */
void sys_close(int fd);

#endif
