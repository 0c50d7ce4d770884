#include "lib/config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	for (;;) {
		char *room = buf_room(out, 16384);
		ssize_t n;
		if (!room)
			return err_set(e, ERR_CONFIG, "%s: larger than %zu octets", path, out->max);
		do
			n = read(fd, room, 16384);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		if (n == 0)
			return 0;
		buf_added(out, (size_t)n);
	}
}

int file_read(const char *path, struct buf *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not hang its reader */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	int rc;
	if (fstat(fd, &st) < 0)
		rc = err_sys(e, errno, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, ERR_CONFIG, "%s: not a regular file", path);
	else
		rc = read_all(fd, path, out, e);
	close(fd);
	return rc;
}
