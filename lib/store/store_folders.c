#include <stdlib.h>
#include <string.h>

#include "lib/store/box.h"
#include "lib/store/maildir_copy.h"
#include "lib/store/maildir_folders.h"
#include "lib/store/maildir_mail.h"
#include "lib/sys/sys.h"

struct folders_job {
	int (*work)(struct folders_job *j);
	struct store_account *account;
	struct folders folders;
	struct folder_dir dir, dir2;
	struct sv name, name2;
	bool on;
	struct folder_list list;
	struct store_status *status;
	int rc;
	struct err err;
};

static void run_job(void *rec)
{
	struct folders_job *j = rec;
	j->rc = j->work(j);
}

static int run(struct store_account *a, struct folders_job *j, struct err *e)
{
	j->account = a;
	j->folders = (struct folders){ a->path, a->uid, a->store->lock_timeout_ms, a->index };
	if (account_enter(a, e) < 0)
		return -1;
	fiber_offload(FIBER_POOL_DURABLE, run_job, j);
	account_leave(a);
	if (j->rc < 0 && e)
		*e = j->err;
	return j->rc;
}

static int list_work(struct folders_job *j)
{
	return maildir_folders_list(&j->folders, &j->list, &j->err);
}

int store_folders(
        struct store_account *a, struct arena *arena, struct store_folders *out, struct err *e)
{
	struct folders_job *j = mem_alloc(sizeof(*j));
	j->work = list_work;
	int rc = run(a, j, e);
	if (rc == 1) {
		out->n = j->list.n;
		out->v = arena_array(arena, out->n ? out->n : 1, sizeof(*out->v));
		for (size_t i = 0; out->v && i < out->n; i++) {
			out->v[i].name = arena_sv(arena, sv_z(j->list.v[i].name));
			out->v[i].flags = j->list.v[i].flags;
		}
		if (!out->v || arena->exhausted)
			rc = err_set(e, ERR_TEMP, "too many mailboxes to list");
	}
	maildir_folders_free(&j->list);
	free(j);
	return rc;
}

static int create_work(struct folders_job *j)
{
	return maildir_folder_create(&j->folders, &j->dir, &j->err);
}

int store_create(struct store_account *a, struct store_mailbox_id id, struct err *e)
{
	struct folders_job j = { .work = create_work };
	if (folder_dir_of(id.name, &j.dir, e) < 0)
		return -1;
	return store_name_is_inbox(id.name) ? 0 : run(a, &j, e);
}

static int delete_work(struct folders_job *j)
{
	return maildir_folder_delete(&j->folders, &j->dir, &j->err);
}

int store_delete(struct store_account *a, struct store_mailbox_id id, struct err *e)
{
	struct folders_job j = { .work = delete_work };
	if (store_name_is_inbox(id.name))
		return err_set(e, ERR_PERM, "INBOX cannot be deleted");
	if (folder_dir_of(id.name, &j.dir, e) < 0)
		return -1;
	return run(a, &j, e);
}

static int subscribe_work(struct folders_job *j)
{
	return maildir_subscribe(&j->folders, j->name, j->on, &j->err);
}

int store_subscribe(struct store_account *a, struct store_mailbox_id id, bool on, struct err *e)
{
	struct folders_job j = { .work = subscribe_work, .name = id.name, .on = on };
	if (store_name_is_inbox(id.name))
		j.name = SV("INBOX");
	if (folder_dir_of(id.name, &j.dir, e) < 0)
		return -1;
	return run(a, &j, e);
}

/* --- rename -------------------------------------------------- */

static int rename_work(struct folders_job *j)
{
	return maildir_folder_rename(&j->folders, j->name, j->name2, &j->err);
}

static int move_all(struct maildir_box *from, struct maildir_box *to, struct err *e)
{
	struct maildir_copy c = { .from = from, .to = to, .move = true };
	c.v = mem_array(from->n ? from->n : 1, sizeof(*c.v));
	for (size_t i = 0; i < from->n; i++)
		if (from->recs[i].where != BOX_ABSENT)
			c.v[c.n++].from = from->recs[i].uid;
	int rc = maildir_copy(&c, e);
	free(c.v);
	return rc;
}

/* INBOX stays; its mail moves into a new mailbox. */
static int empty_inbox(struct folders_job *j)
{
	struct folder_dir inbox = { "." };
	int rc = maildir_folder_create(&j->folders, &j->dir2, &j->err);
	if (rc == 0)
		return err_set(&j->err, ERR_PERM, "mailbox \"%.*s\" exists", SV_ARG(j->name2));
	if (rc < 0)
		return -1;
	struct maildir_box *from = box_table(j->account, &inbox, false);
	struct maildir_box *to = box_table(j->account, &j->dir2, false);
	rc = maildir_box_sync(from, &j->err);
	if (rc == 1)
		rc = move_all(from, to, &j->err);
	maildir_box_free(from);
	maildir_box_free(to);
	return rc == 1 ? 1 : -1;
}

int store_rename(struct store_account *a, struct store_mailbox_id from, struct store_mailbox_id to,
        struct err *e)
{
	struct folders_job j = { .work = rename_work, .name = from.name, .name2 = to.name };
	if (folder_dir_of(from.name, &j.dir, e) < 0 || folder_dir_of(to.name, &j.dir2, e) < 0)
		return -1;
	if (store_name_is_inbox(to.name))
		return err_set(e, ERR_PERM, "INBOX exists");
	if (store_name_is_inbox(from.name))
		j.work = empty_inbox;
	return run(a, &j, e);
}

/* --- status -------------------------------------------------- */

static void recall_all(struct maildir_box *t)
{
	uint32_t *uids = mem_array(t->n ? t->n : 1, sizeof(*uids));
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		if (t->recs[i].where != BOX_ABSENT && t->recs[i].vsize == 0)
			uids[n++] = t->recs[i].uid;
	maildir_box_recall(t, uids, n);
	free(uids);
}

static int add_sizes(struct maildir_box *t, struct store_status *s, struct err *e)
{
	struct maildir_dir d;
	int root, rc = maildir_box_dirs(t, &root, &d, e);
	if (rc != 1)
		return rc;
	recall_all(t);
	for (size_t i = 0; i < t->n && rc >= 0; i++) {
		if (t->recs[i].where == BOX_ABSENT)
			continue;
		uint32_t uid = t->recs[i].uid;
		rc = maildir_mail_stat(t, &d, uid, true, e);
		const struct box_rec *r = rc == 1 ? maildir_box_find(t, uid) : NULL;
		s->vsize += r ? r->vsize : 0;
	}
	maildir_box_flush(t);
	maildir_dir_close(&d);
	sys_close(root);
	return rc < 0 ? -1 : 1;
}

static int status_work(struct folders_job *j)
{
	struct maildir_box *t = box_table(j->account, &j->dir, false);
	struct store_status *s = j->status;
	int rc = maildir_box_sync(t, &j->err);
	if (rc == 1) {
		*s = (struct store_status){ .uidvalidity = t->list.h.uidvalidity,
			.uidnext = t->list.h.nextuid };
		for (size_t i = 0; i < t->n; i++) {
			const struct box_rec *r = &t->recs[i];
			s->messages += r->where != BOX_ABSENT;
			s->recent += r->where == BOX_NEW;
			s->unseen += r->where != BOX_ABSENT && !(r->flags & STORE_SEEN);
		}
	}
	if (rc == 1 && j->on)
		rc = add_sizes(t, s, &j->err);
	maildir_box_free(t);
	return rc;
}

int store_status(struct store_account *a, struct store_mailbox_id id, bool with_size,
        struct store_status *out, struct err *e)
{
	struct folders_job j = { .work = status_work, .status = out, .on = with_size };
	if (folder_dir_of(id.name, &j.dir, e) < 0)
		return -1;
	return run(a, &j, e);
}
