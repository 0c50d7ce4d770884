#include "lib/fiber/fiber.h"
#include "lib/store/account.h"
#include "lib/store/index.h"
#include "lib/store/maildir_save.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

struct deliver_job {
	struct store_account *account;
	struct folder_dir folder;
	const struct store_delivery *delivery;
	enum store_delivered how;
	int rc;
	struct err err;
};

static int deliver_locked(struct deliver_job *j, int root)
{
	const struct store_delivery *dl = j->delivery;
	struct store_account *a = j->account;
	if (dl->maybe_before) {
		int rc =
		        maildir_key_find(root, a->path, &dl->key, dl->head.len + dl->size, &j->err);
		const struct index_tomb tomb = { dl->key, dl->head.len + dl->size };
		if (rc == 0 && a->index && index_tomb_has(a->index, &tomb, clock_wall_s()) == 1)
			rc = 1;
		if (rc != 0) {
			j->how = STORE_DELIVERED_BEFORE;
			return rc;
		}
	}
	struct maildir_dir d;
	int rc = maildir_dir_open(root, a->path, &j->folder, &d, &j->err);
	if (rc != 1)
		return rc;
	rc = maildir_deliver(&d, a->store->host, dl, &j->err);
	maildir_dir_close(&d);
	j->how = STORE_DELIVERED_NEW;
	return rc;
}

static void deliver_run(void *rec)
{
	struct deliver_job *j = rec;
	struct store_account *a = j->account;
	int root, lock = -1;
	j->rc = maildir_root_open(a->path, a->uid, true, &root, &j->err);
	if (j->rc != 1)
		return;
	if (j->delivery->maybe_before)
		lock = account_lock(root, a->path, a->store->lock_timeout_ms, &j->err);
	if (j->delivery->maybe_before && lock < 0)
		j->rc = -1;
	else
		j->rc = deliver_locked(j, root);
	if (lock >= 0)
		sys_close(lock);
	sys_close(root);
}

int store_deliver(struct store_account *a, struct store_mailbox_id id,
        const struct store_delivery *d, enum store_delivered *out, struct err *e)
{
	struct deliver_job *j = mem_alloc(sizeof(*j));
	j->account = a;
	j->delivery = d;
	int rc = folder_dir_of(id.name, &j->folder, e);
	if (rc == 1 && d->maybe_before)
		rc = account_enter(a, e) < 0 ? -1 : 1;
	if (rc == 1) {
		fiber_offload(FIBER_POOL_DURABLE, deliver_run, j);
		rc = j->rc;
		*out = j->how;
		if (rc < 0 && e)
			*e = j->err;
		if (d->maybe_before)
			account_leave(a);
	}
	free(j);
	return rc;
}
