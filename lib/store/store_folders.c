#include <stdlib.h>

#include "lib/store/box.h"

struct folders_job {
	int (*work)(struct folders_job *j);
	struct store_account *account;
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
	return j->account->driver->list(j->account, &j->list, &j->err);
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
	folder_list_free(&j->list);
	free(j);
	return rc;
}

static int create_work(struct folders_job *j)
{
	return j->account->driver->create(j->account, j->name, &j->err);
}

int store_create(struct store_account *a, struct store_mailbox_id id, struct err *e)
{
	struct folders_job j = { .work = create_work, .name = id.name };
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	return store_name_is_inbox(id.name) ? 0 : run(a, &j, e);
}

static int delete_work(struct folders_job *j)
{
	return j->account->driver->remove_folder(j->account, j->name, &j->err);
}

int store_delete(struct store_account *a, struct store_mailbox_id id, struct err *e)
{
	struct folders_job j = { .work = delete_work, .name = id.name };
	if (store_name_is_inbox(id.name))
		return err_set(e, ERR_PERM, "INBOX cannot be deleted");
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	return run(a, &j, e);
}

static int subscribe_work(struct folders_job *j)
{
	return j->account->driver->subscribe(j->account, j->name, j->on, &j->err);
}

int store_subscribe(struct store_account *a, struct store_mailbox_id id, bool on, struct err *e)
{
	struct folders_job j = { .work = subscribe_work, .name = id.name, .on = on };
	if (store_name_is_inbox(id.name))
		j.name = SV("INBOX");
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	return run(a, &j, e);
}

/* --- rename -------------------------------------------------- */

static int rename_work(struct folders_job *j)
{
	return j->account->driver->rename(j->account, j->name, j->name2, &j->err);
}

static int move_all(const struct store_driver *d, void *from, void *to, struct err *e)
{
	size_t n = 0, slots = d->slots(from);
	struct mail_copy *v = mem_array(slots ? slots : 1, sizeof(*v));
	struct table_mail m;
	for (size_t i = 0; i < slots; i++)
		if (d->at(from, i, &m))
			v[n++].from = m.m.uid;
	int rc = d->copy(from, to, true, v, n, e);
	free(v);
	return rc;
}

/* INBOX stays; its mail moves into a new mailbox. */
static int empty_inbox(struct folders_job *j)
{
	const struct store_driver *d = j->account->driver;
	int rc = d->create(j->account, j->name2, &j->err);
	if (rc == 0)
		return err_set(&j->err, ERR_PERM, "mailbox \"%.*s\" exists", SV_ARG(j->name2));
	if (rc < 0)
		return -1;
	void *from = d->table_new(j->account, SV("INBOX"), false);
	void *to = d->table_new(j->account, j->name2, false);
	rc = d->sync(from, &j->err);
	if (rc == 1)
		rc = move_all(d, from, to, &j->err);
	d->table_free(from);
	d->table_free(to);
	return rc == 1 ? 1 : -1;
}

int store_rename(struct store_account *a, struct store_mailbox_id from, struct store_mailbox_id to,
        struct err *e)
{
	struct folders_job j = { .work = rename_work, .name = from.name, .name2 = to.name };
	if (a->driver->name_check(from.name, e) < 0 || a->driver->name_check(to.name, e) < 0)
		return -1;
	if (store_name_is_inbox(to.name))
		return err_set(e, ERR_PERM, "INBOX exists");
	if (store_name_is_inbox(from.name))
		j.work = empty_inbox;
	return run(a, &j, e);
}

/* --- status -------------------------------------------------- */

/* What a look at the table gives; with sizes once they are asked for. */
static int count(struct folders_job *j, void *table)
{
	const struct store_driver *d = j->account->driver;
	struct table_facts f = d->facts(table);
	struct store_status *s = j->status;
	size_t n = 0, slots = d->slots(table);
	struct store_msg *v = mem_array(slots ? slots : 1, sizeof(*v));
	struct store_msg **at = mem_array(slots ? slots : 1, sizeof(struct store_msg *));
	struct table_mail m;
	*s = (struct store_status){ .uidvalidity = f.uidvalidity, .uidnext = f.nextuid };
	for (size_t i = 0; i < slots; i++) {
		if (!d->at(table, i, &m))
			continue;
		s->messages++;
		s->recent += m.fresh;
		s->unseen += !(m.m.flags & STORE_SEEN);
		v[n] = m.m;
		at[n] = &v[n];
		n++;
	}
	int rc = j->on ? d->sizes(table, at, n, true, &j->err) : 1;
	for (size_t i = 0; i < n; i++)
		s->vsize += v[i].gone ? 0 : v[i].vsize;
	free(v);
	free(at);
	return rc < 0 ? -1 : 1;
}

static int status_work(struct folders_job *j)
{
	const struct store_driver *d = j->account->driver;
	void *table = d->table_new(j->account, j->name, false);
	int rc = d->sync(table, &j->err);
	if (rc == 1)
		rc = count(j, table);
	d->table_free(table);
	return rc;
}

int store_status(struct store_account *a, struct store_mailbox_id id, bool with_size,
        struct store_status *out, struct err *e)
{
	struct folders_job j = { .work = status_work, .name = id.name, .status = out, .on = with_size };
	if (a->driver->name_check(id.name, e) < 0)
		return -1;
	return run(a, &j, e);
}
