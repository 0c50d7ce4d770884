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
#define LOOP_STEPS  100  /* Received fields, more than hopcount_limit lets through */

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

/* The alias that a Received field of local's own names; empty: none. */
static struct sv step_in(const struct header_field *f, bool *list)
{
	struct sv body = sv_trim(f->body);
	ptrdiff_t at = sv_istarts(body, SV("by ")) ? sv_find(body, SV(LOCAL_STEP_MARK)) : -1;
	if (at < 0)
		return SV_NONE;
	struct sv rest = sv_from(body, (size_t)at + sizeof(LOCAL_STEP_MARK) - 1);
	ptrdiff_t end = sv_find(rest, SV(">;")), of_list = sv_find(rest, SV(">" LOCAL_LIST_MARK ";"));
	*list = end < 0;
	end = end < 0 ? of_list : end;
	return end < 0 ? SV_NONE : sv_upto(rest, (size_t)end);
}

/* The newest Received fields, as far as they are steps. */
static int read_steps(struct sv head, struct arena *a, struct local_loop *out)
{
	struct header_field f;
	struct sv rest = head;
	while (out->nsteps < LOOP_STEPS && header_next(&rest, &f) == 1) {
		bool list = false;
		struct sv step = step_in(&f, &list);
		struct buf address;
		if (f.id == HDR_RECEIVED && sv_empty(step))
			break;
		if (f.id != HDR_RECEIVED)
			continue;
		if (!out->steps && !(out->steps = arena_array(a, LOOP_STEPS, sizeof(*out->steps))))
			return -1;
		buf_init(&address, 2 * ADDR_MAX);
		if (addr_unquote(&address, step) == 0)
			out->steps[out->nsteps++] =
			        (struct local_step){ .address = arena_sv(a, buf_sv(&address)), .list = list };
		buf_free(&address);
	}
	return a->exhausted ? -1 : 0;
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
	return read_owners(head, a, out) < 0 ? -1 : read_steps(head, a, out);
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
	for (size_t i = 0; i < l->nsteps; i++)
		if (addr_ieq(l->steps[i].address, address))
			return true;
	return false;
}

struct sv local_delivered_to(const struct local_rcpt *r)
{
	const struct local_loop *l = r->loop;
	bool plain = r->plain && r->address.len > 1 && r->address.p[0] == '\\';
	if (!r->local->params.frozen_delivered_to || l->nsteps == 0 || l->steps[0].list)
		return plain ? sv_from(r->address, 1) : r->address;
	struct sv first = l->steps[l->nsteps - 1].address;
	for (size_t i = 0; i < l->n; i++)
		if (addr_ieq(l->v[i], first))
			return SV_NONE;
	return first;
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
