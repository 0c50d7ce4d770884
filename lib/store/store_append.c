/* APPEND: octets gathered and handed to the format as they come, one job at the end that makes them a mail. */
#include <stdlib.h>

#include "lib/store/box.h"
#include "lib/store/store_save.h"

#define BATCH (128 * 1024) /* octets that one job writes */

struct store_append {
	struct store_account *account;
	void *open; /* the format's */
	char *name;
	struct buf pending;
	/* arguments and result of the running job */
	const struct store_append_meta *meta;
	uint32_t uidvalidity, uid;
	int rc;
	struct err err;
};

static void begin_run(void *rec)
{
	struct store_append *ap = rec;
	ap->rc = ap->account->driver->append_begin(ap->account, sv_z(ap->name), &ap->open, &ap->err);
}

static void drop(struct store_append *ap)
{
	store_account_close(ap->account);
	buf_free(&ap->pending);
	free(ap->name);
	free(ap);
}

int store_append_begin(struct store_account *a, struct store_mailbox_id id,
        struct store_append **out, struct err *e)
{
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	struct store_append *ap = mem_alloc(sizeof(*ap));
	ap->account = a;
	a->refs++;
	ap->name = mem_svdup(id.name);
	buf_init(&ap->pending, 4 * BATCH);
	fiber_offload(FIBER_POOL_DURABLE, begin_run, ap);
	int rc = ap->rc;
	if (rc != 1) {
		if (rc < 0 && e)
			*e = ap->err;
		drop(ap);
		return rc;
	}
	*out = ap;
	return 1;
}

static int flush(struct store_append *ap)
{
	int rc = ap->account->driver->append_write(ap->open, buf_sv(&ap->pending), &ap->err);
	buf_reset(&ap->pending);
	return rc;
}

static void write_run(void *rec)
{
	struct store_append *ap = rec;
	ap->rc = flush(ap);
}

int store_append_write(struct store_append *ap, struct sv octets, struct err *e)
{
	while (octets.len > 0 && ap->rc >= 0) {
		struct sv part = sv_upto(octets, BATCH);
		(void)buf_put_sv(&ap->pending, part);
		octets = sv_from(octets, part.len);
		if (ap->pending.len >= BATCH)
			fiber_offload(FIBER_POOL_DURABLE, write_run, ap);
	}
	if (ap->rc < 0 && e)
		*e = ap->err;
	return ap->rc < 0 ? -1 : 1;
}

static void commit_run(void *rec)
{
	struct store_append *ap = rec;
	ap->rc = flush(ap);
	if (ap->rc >= 0)
		ap->rc = ap->account->driver->append_commit(
			ap->open, ap->meta, &ap->uidvalidity, &ap->uid, &ap->err);
}

static void abort_run(void *rec)
{
	struct store_append *ap = rec;
	ap->account->driver->append_end(ap->open);
}

void store_append_abort(struct store_append *ap)
{
	if (!ap)
		return;
	fiber_offload(FIBER_POOL_DURABLE, abort_run, ap);
	drop(ap);
}

int store_append_commit(struct store_append *ap, const struct store_append_meta *m,
        uint32_t *uidvalidity, uint32_t *uid, struct err *e)
{
	ap->meta = m;
	if (ap->rc >= 0 && account_enter(ap->account, &ap->err) < 0)
		ap->rc = -1;
	else if (ap->rc >= 0) {
		fiber_offload(FIBER_POOL_DURABLE, commit_run, ap);
		account_leave(ap->account);
	}
	int rc = ap->rc;
	*uidvalidity = ap->uidvalidity;
	*uid = ap->uid;
	if (rc < 0 && e)
		*e = ap->err;
	store_append_abort(ap); /* closes; what was committed stays */
	return rc;
}
