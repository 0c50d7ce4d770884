/* APPEND: octets into tmp/ as they come, one job at the end that makes them a mail. */
#include <errno.h>
#include <stdlib.h>

#include "lib/store/box.h"
#include "lib/store/maildir_mail.h"
#include "lib/store/maildir_save.h"
#include "lib/store/store_save.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

#define BATCH (128 * 1024) /* octets that one job writes */

struct store_append {
	struct store_account *account;
	struct maildir_box *table;
	int root;
	struct maildir_dir d;
	struct maildir_tmp tmp;
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
	ap->rc = maildir_box_dirs(ap->table, &ap->root, &ap->d, &ap->err);
	if (ap->rc != 1)
		return;
	if (maildir_tmp_open(&ap->d, ap->account->store->host, &ap->tmp, &ap->err) < 0) {
		maildir_dir_close(&ap->d);
		sys_close(ap->root);
		ap->root = -1;
		ap->rc = -1;
	}
}

static void drop(struct store_append *ap)
{
	maildir_box_free(ap->table);
	store_account_close(ap->account);
	buf_free(&ap->pending);
	free(ap);
}

int store_append_begin(struct store_account *a, struct store_mailbox_id id,
        struct store_append **out, struct err *e)
{
	struct folder_dir folder;
	if (folder_dir_of(id.name, &folder, e) < 0)
		return -1;
	struct store_append *ap = mem_alloc(sizeof(*ap));
	ap->account = a;
	a->refs++;
	ap->table = box_table(a, &folder, false);
	ap->root = -1;
	ap->tmp.fd = -1;
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
	int rc = maildir_tmp_write_crlf(&ap->d, &ap->tmp, buf_sv(&ap->pending), &ap->err);
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

/* tmp/ -> new/ with its UID on disk: the first session that is told of it moves it on. Locks of the
 * folder are held. 1, 0, -1. */
static int publish(struct store_append *ap, uint32_t keywords)
{
	char base[MAILDIR_NAME_MAX + 1];
	struct buf name;
	buf_init(&name, MAILDIR_NAME_MAX);
	maildir_unique_base(ap->account->store->host, ap->tmp.size, ap->tmp.vsize, base);
	struct mail_arrival in;
	int rc = maildir_name_arrival(&name, sv_z(base), ap->meta->flags, keywords);
	if (rc < 0 || sv_copyz(buf_sv(&name), in.name, sizeof(in.name)) < 0)
		rc = err_set(&ap->err, ERR_BUG, "name of a mail file is too long");
	buf_free(&name);
	if (rc < 0)
		return -1;
	if (maildir_tmp_publish(&ap->d, &ap->tmp, in.name, true, &ap->err) < 0)
		return ap->err.sys_errno == ENOENT ? 0 : -1;
	if (maildir_arrive(ap->table, &ap->d, &in, 1, &ap->err) < 0) {
		(void)sys_unlinkat(ap->d.new_, in.name, 0);
		return -1;
	}
	ap->uid = in.uid;
	ap->uidvalidity = ap->table->list.h.uidvalidity;
	return 1;
}

static void commit_run(void *rec)
{
	struct store_append *ap = rec;
	uint32_t keywords = 0;
	int64_t mtime = ap->meta->internaldate ? ap->meta->internaldate : clock_wall_s();
	ap->rc = flush(ap);
	if (ap->rc >= 0)
		ap->rc = maildir_tmp_write_end(&ap->d, &ap->tmp, &ap->err);
	if (ap->rc >= 0)
		ap->rc = maildir_tmp_sync(&ap->d, &ap->tmp, mtime, &ap->err);
	if (ap->rc >= 0)
		ap->rc = maildir_keywords_read(ap->table, &ap->d, &ap->err);
	if (ap->rc >= 0)
		ap->rc = maildir_keyword_mask(ap->table, ap->root, &ap->d, ap->meta->keywords,
		        ap->meta->nkeywords, true, &keywords, &ap->err);
	if (ap->rc < 0)
		return;
	struct box_lock *l = maildir_arrive_lock(ap->table, ap->root, &ap->d, &ap->err);
	ap->rc = l ? publish(ap, keywords) : -1;
	if (l)
		maildir_box_unlock(l);
}

static void abort_run(void *rec)
{
	struct store_append *ap = rec;
	maildir_tmp_discard(&ap->d, &ap->tmp);
	maildir_dir_close(&ap->d);
	sys_close(ap->root);
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
	store_append_abort(ap); /* closes; the file is no longer in tmp/ when it was published */
	return rc;
}
