/*
 * The input of a command: a file without a name, in partial/. Not a pipe: when whoever feeds a pipe is killed,
 * the command takes that for the end of the mail.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/nameless.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define BLOCK (128 * 1024)

struct input_job {
	const struct deliver_request *rq;
	struct sv head;
	int fd;
	struct err err;
};

/* Content ends with a line's end: queue_commit() sees to that. */
static int copy(const struct input_job *j, struct err *e)
{
	char *p = mem_alloc(BLOCK);
	int rc = 0;
	if (sys_write_all(j->fd, j->head.p, j->head.len) < 0)
		rc = err_sys(e, errno, "write of a command's input");
	for (uint64_t done = 0, n; rc == 0 && done < j->rq->content_size; done += n) {
		uint64_t left = j->rq->content_size - done;
		n = left < BLOCK ? left : BLOCK;
		if (sys_pread_all(j->rq->fd, p, (size_t)n, (off_t)(j->rq->content_offset + done)) < 0)
			rc = err_sys(e, errno, "read of the queue file");
		else if (sys_write_all(j->fd, p, (size_t)n) < 0)
			rc = err_sys(e, errno, "write of a command's input");
	}
	free(p);
	return rc;
}

static void input_run(void *rec)
{
	struct input_job *j = rec;
	j->fd = sys_nameless(LOCAL_PARTIAL, &j->err);
	if (j->fd < 0)
		return;
	if (copy(j, &j->err) < 0 || lseek(j->fd, 0, SEEK_SET) < 0) {
		sys_close(j->fd);
		j->fd = -1;
	}
}

int local_input(const struct local_rcpt *r, struct sv head, int *fd, struct err *e)
{
	struct input_job j = { .rq = r->rq, .head = head };
	fiber_offload(FIBER_POOL_DURABLE, input_run, &j);
	*fd = j.fd;
	if (j.fd < 0)
		*e = j.err;
	return j.fd < 0 ? -1 : 0;
}
