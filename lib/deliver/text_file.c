#include "lib/deliver/text_file.h"

#include <errno.h>

#include "lib/sys/sys.h"

#define BLOCK 65536

static int check(const struct text_file *f, const char *path, int fd, struct err *e)
{
	struct stat st;
	bool forward = f->rule == TEXT_FILE_FORWARD;
	mode_t others = forward ? 022 : 002;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(e, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFIG, "%s: not a regular file", path);
	if (forward && st.st_uid != f->uid && st.st_uid != 0)
		return err_set(e, ERR_CONFIG, "%s: owned by uid %u, must belong to uid %u or root", path,
		        (unsigned)st.st_uid, (unsigned)f->uid);
	if (st.st_mode & others)
		return err_set(e, ERR_CONFIG, "%s: writable by %s (mode %04o): chmod %s %s", path,
		        forward ? "group or others" : "everybody", (unsigned)(st.st_mode & 07777),
		        forward ? "go-w" : "o-w", path);
	if (st.st_size > (off_t)f->max)
		return err_set(e, ERR_CONFIG, "%s: larger than %zu octets", path, f->max);
	return 1;
}

static int read_all(const struct text_file *f, const char *path, int fd, struct buf *text, struct err *e)
{
	for (size_t total = 0;;) {
		char *room = buf_room(text, BLOCK);
		ssize_t n = room ? sys_read(fd, room, BLOCK) : -1;
		if (n == 0)
			return 1;
		if (n < 0)
			return err_sys(e, room ? errno : EFBIG, "read %s", path);
		buf_added(text, (size_t)n);
		total += (size_t)n;
		if (total > f->max) /* it grows while it is read */
			return err_set(e, ERR_CONFIG, "%s: larger than %zu octets", path, f->max);
	}
}

static int read_one(const struct text_file *f, const char *path, struct buf *text, int *fd_out, struct err *e)
{
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | (f->rule == TEXT_FILE_FORWARD ? O_NOFOLLOW : 0), 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, errno, "open %s", path);
	int rc = check(f, path, fd, e);
	if (rc == 1)
		rc = read_all(f, path, fd, text, e);
	if (rc == 1 && fd_out)
		*fd_out = fd;
	else
		sys_close(fd);
	return rc;
}

int text_file_read(const struct text_file *f, struct buf *text, size_t *which, int *fd, struct err *e)
{
	int rc = 0;
	for (*which = 0; *which < f->n; (*which)++)
		if ((rc = read_one(f, f->paths[*which], text, fd, e)) != 0)
			break;
	return rc;
}
