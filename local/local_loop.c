/* Loop detection: an address that a Delivered-To field already names has had this mail. */
#include <errno.h>
#include <stdlib.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/header.h"
#include "lib/sys/sys.h"
#include "local/local.h"

#define LOOP_INLINE (32 * 1024)
#define LOOP_MAX    1000 /* Delivered-To fields looked at */

/* The owner that a Received field of ours names; empty: none. */
static struct sv owner_in(const struct header_field *f)
{
	ptrdiff_t at = f->id == HDR_RECEIVED ? sv_find(f->body, SV(LOCAL_OWNER_MARK)) : -1;
	if (at < 0)
		return SV_NONE;
	struct sv rest = sv_from(f->body, (size_t)at + sizeof(LOCAL_OWNER_MARK) - 1);
	ptrdiff_t end = sv_find(rest, SV(">)"));
	return end < 0 ? SV_NONE : sv_upto(rest, (size_t)end);
}

static int read_owners(struct sv head, struct arena *a, struct local_loop *out)
{
	struct header_field f;
	struct sv rest = head;
	size_t n = 0;
	while (n < LOOP_MAX && header_next(&rest, &f) == 1)
		n += owner_in(&f).len > 0;
	out->owners = arena_array(a, n ? n : 1, sizeof(*out->owners));
	rest = head;
	while (out->owners && out->nowners < n && header_next(&rest, &f) == 1) {
		struct sv owner = owner_in(&f);
		if (owner.len > 0)
			out->owners[out->nowners++] = arena_sv(a, owner);
	}
	return a->exhausted ? -1 : 0;
}

int local_loop_parse(struct sv head, struct arena *a, struct local_loop *out)
{
	struct header_field f;
	struct sv rest = head;
	size_t n = 0;
	*out = (struct local_loop){ 0 };
	while (n < LOOP_MAX && header_next(&rest, &f) == 1)
		n += f.id == HDR_DELIVERED_TO;
	out->v = arena_array(a, n ? n : 1, sizeof(*out->v));
	if (!out->v)
		return -1;
	rest = head;
	while (out->n < n && header_next(&rest, &f) == 1) {
		if (f.id != HDR_DELIVERED_TO)
			continue;
		struct buf address;
		buf_init(&address, 2 * ADDR_MAX);
		if (addr_unquote(&address, sv_trim(f.body)) == 0)
			out->v[out->n++] = arena_sv(a, buf_sv(&address));
		else
			n--;
		buf_free(&address);
		if (a->exhausted)
			return -1;
	}
	return read_owners(head, a, out);
}

bool local_loop_owner(const struct local_loop *l, struct sv address)
{
	for (size_t i = 0; i < l->nowners; i++)
		if (addr_ieq(l->owners[i], address))
			return true;
	return false;
}

bool local_loop_has(const struct local_loop *l, struct sv address)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr_ieq(l->v[i], address))
			return true;
	return false;
}

struct read_job {
	int fd;
	uint64_t offset;
	size_t size;
	char *text;
	int rc, saved;
};

static void read_run(void *rec)
{
	struct read_job *j = rec;
	j->rc = sys_pread_all(j->fd, j->text, j->size, (off_t)j->offset);
	j->saved = errno;
}

int local_loop_read(const struct deliver_request *rq, struct local_loop *out, struct err *e)
{
	struct read_job j = {
		.fd = rq->fd, .offset = rq->content_offset, .size = LOCAL_HEADER_MAX
	};
	if (rq->content_size < j.size)
		j.size = (size_t)rq->content_size;
	j.text = mem_alloc(j.size + 1);
	/* a small mail has just been written and is in memory: not worth a thread */
	if (j.size <= LOOP_INLINE)
		read_run(&j);
	else
		fiber_offload(FIBER_POOL_DURABLE, read_run, &j);
	int rc = j.rc;
	if (rc < 0)
		err_sys(e, j.saved, "read of the queue file");
	else if (local_loop_parse(sv_n(j.text, j.size), rq->arena, out) < 0)
		rc = err_set(e, ERR_TEMP, "out of memory for the header");
	free(j.text);
	return rc;
}
