#include <errno.h>

#include "bounce/bounce.h"
#include "lib/sys/sys.h"

/* The header ends before the first empty line. -1: no empty line in IN. */
static ptrdiff_t header_end(struct sv in)
{
	if (in.len > 0 && in.p[0] == '\n')
		return 0;
	ptrdiff_t at = sv_find(in, SV("\n\n"));
	return at < 0 ? -1 : at + 1;
}

int bounce_read_original(
        int fd, uint64_t offset, uint64_t size, bool header_only, struct buf *out, struct err *e)
{
	uint64_t want = header_only && size > BOUNCE_HEADER_MAX ? BOUNCE_HEADER_MAX : size;
	char *p = buf_room(out, (size_t)want + 1);
	if (!p)
		return err_set(e, ERR_TEMP, "mail too large for a notification");
	if (sys_pread_all(fd, p, (size_t)want, (off_t)offset) < 0)
		return err_sys(e, errno, "read of the queue file");
	buf_added(out, (size_t)want);
	if (!header_only)
		return 1;
	ptrdiff_t end = header_end(buf_sv(out));
	if (end < 0 && want < size) /* a header over the ceiling: whole lines of it */
		end = sv_rchr(buf_sv(out), '\n') + 1;
	if (end >= 0)
		buf_truncate(out, (size_t)end);
	return 1;
}
