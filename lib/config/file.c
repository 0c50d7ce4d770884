#include "lib/config/file.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "lib/sys/sys.h"

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	for (;;) {
		char *room = buf_room(out, 16384);
		if (!room)
			return err_set(e, ERR_CONFIG, "%s: larger than %zu octets", path, out->max);
		ssize_t n = sys_read(fd, room, 16384);
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		if (n == 0)
			return 0;
		buf_added(out, (size_t)n);
	}
}

/* /dev/null is a usual way to name an empty table. */
static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

int file_read(const char *path, struct buf *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not hang its reader */
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	int rc;
	if (sys_fstat(fd, &st) < 0)
		rc = err_sys(e, errno, "stat %s", path);
	else if (!S_ISREG(st.st_mode) && !is_null_device(&st))
		rc = err_set(e, ERR_CONFIG, "%s: not a regular file", path);
	else
		rc = read_all(fd, path, out, e);
	sys_close(fd);
	return rc;
}
