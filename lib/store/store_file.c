#include "lib/store/store_file.h"

#include <errno.h>
#include <stdio.h>

#include "lib/store/maildir_dir.h"
#include "lib/sys/sys.h"

int store_file_read(int root, const char *path, const char *rel, struct buf *out, struct err *e)
{
	int fd = sys_openat(root, rel, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s/%s", path, rel);
	ssize_t n;
	int rc = 0;
	do {
		char *room = buf_room(out, 4096);
		n = room ? sys_read(fd, room, 4096) : -1;
		if (n > 0)
			buf_added(out, (size_t)n);
		if (!room)
			rc = err_set(e, ERR_TEMP, "%s/%s is too large", path, rel);
		else if (n < 0)
			rc = err_sys(e, errno, "read %s/%s", path, rel);
	} while (rc == 0 && n > 0);
	sys_close(fd);
	return rc;
}

int store_file_replace(int root, const char *path, const char *rel, struct sv text, struct err *e)
{
	char tmp[80];
	(void)snprintf(tmp, sizeof(tmp), "%s.tmp", rel);
	int fd = sys_openat(root, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -1 : 0;
	if (rc == 0 && (sys_write_all(fd, text.p, text.len) < 0 || sys_fsync(fd) < 0))
		rc = -1;
	if (rc == 0)
		rc = sys_renameat(root, tmp, root, rel);
	int saved = errno;
	if (fd >= 0)
		sys_close(fd);
	if (rc < 0) {
		(void)sys_unlinkat(root, tmp, 0);
		return err_sys(e, saved, "write %s/%s", path, rel);
	}
	return maildir_sync(root, path, "", e);
}
