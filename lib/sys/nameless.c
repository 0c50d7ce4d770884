#include "lib/sys/nameless.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

int sys_nameless(const char *dir, struct err *e)
{
	char name[4096];
	int fd = sys_open(dir, O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd >= 0 ? fd : err_sys(e, errno, "file in %s", dir);
	/* a file system that cannot do that */
	(void)snprintf(name, sizeof(name), "%s/input.%016" PRIx64, dir, rand_u64());
	fd = sys_open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd >= 0 && sys_unlink(name) == 0)
		return fd;
	err_sys(e, errno, "file %s", name);
	sys_close(fd);
	return -1;
}
