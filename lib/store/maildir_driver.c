/* The format "maildir" for the functions of store.h. */
#include "lib/store/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store/account.h"
#include "lib/store/maildir_copy.h"
#include "lib/store/maildir_folders.h"
#include "lib/store/maildir_mail.h"
#include "lib/store/maildir_save.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

static int root(const struct store_account *a, bool create, struct err *e)
{
	int fd = -1, rc = maildir_root_open(a->path, a->uid, create, &fd, e);
	if (rc == 1)
		sys_close(fd);
	return rc;
}

static int name_check(struct sv name, struct err *e)
{
	struct folder_dir dir;
	return folder_dir_of(name, &dir, e);
}

/* The directory of a name that was checked. */
static struct folder_dir dir_of(struct sv name)
{
	struct folder_dir dir;
	return folder_dir_of(name, &dir, NULL) == 1 ? dir : (struct folder_dir){ "." };
}

/* --- tables -------------------------------------------------- */

static void *table_new(struct store_account *a, struct sv name, bool writable)
{
	const struct folder_dir folder = dir_of(name);
	struct maildir_box_def def = {
		.root_path = a->path,
		.uid = a->uid,
		.host = a->store->host,
		.lock_timeout_ms = a->store->lock_timeout_ms,
		.writable = writable,
		.index = a->index,
	};
	return maildir_box_new(&def, &folder);
}

static void table_free(void *table)
{
	maildir_box_free(table);
}

static int sync_table(void *table, struct err *e)
{
	return maildir_box_sync(table, e);
}

static struct table_facts facts(const void *table)
{
	const struct maildir_box *t = table;
	return (struct table_facts){ .uidvalidity = t->list.h.uidvalidity,
		.nextuid = t->list.h.nextuid,
		.guid = t->list.h.guid,
		.kw = &t->kw,
		.lost = t->lost };
}

static size_t slots(const void *table)
{
	const struct maildir_box *t = table;
	return t->n;
}

static bool fill(const struct box_rec *r, struct table_mail *out)
{
	if (!r || r->where == BOX_ABSENT)
		return false;
	*out = (struct table_mail){
		.m = { .uid = r->uid,
		        .flags = r->flags,
		        .keywords = r->keywords,
		        .recent = r->recent,
		        .internaldate = r->mtime,
		        .size = r->size,
		        .vsize = r->vsize },
		.fresh = r->where == BOX_NEW,
		.tag = index_tag(sv_z(r->base)),
	};
	return true;
}

static bool at(const void *table, size_t slot, struct table_mail *out)
{
	const struct maildir_box *t = table;
	return fill(&t->recs[slot], out);
}

static bool find(void *table, uint32_t uid, struct table_mail *out)
{
	return fill(maildir_box_find(table, uid), out);
}

/* --- mails -------------------------------------------------- */

struct work {
	struct maildir_box *t;
	struct store_msg **v;
	size_t n;
	bool vsize;
	const struct store_flag_change *change;
	struct mail_flag_change mask;
	int fd;
	struct err *e;
};

/* Call ONE for each mail with the directories open, BEFORE once ahead of them. 1 all, 0 some are gone, -1. */
static int each(struct work *w, int (*one)(struct work *w, const struct maildir_dir *d, struct store_msg *m),
	int (*before)(struct work *w, int root, const struct maildir_dir *d))
{
	struct maildir_dir d;
	int fd, rc = maildir_box_dirs(w->t, &fd, &d, w->e);
	if (rc != 1)
		return rc;
	if (before)
		rc = before(w, fd, &d);
	for (size_t i = 0; i < w->n && rc >= 0; i++) {
		int got = one(w, &d, w->v[i]);
		w->v[i]->gone |= got == 0;
		if (got <= 0)
			rc = got;
	}
	maildir_box_flush(w->t);
	maildir_dir_close(&d);
	sys_close(fd);
	return rc;
}

/* UIDs of the mails; freed by the caller. */
static uint32_t *uids_of(const struct work *w)
{
	uint32_t *uids = mem_array(w->n ? w->n : 1, sizeof(*uids));
	for (size_t i = 0; i < w->n; i++)
		uids[i] = w->v[i]->uid;
	return uids;
}

static void take_facts(struct maildir_box *t, struct store_msg *m)
{
	const struct box_rec *r = maildir_box_find(t, m->uid);
	if (!r)
		return;
	m->size = r->size;
	m->vsize = r->vsize;
	m->internaldate = r->mtime;
}

static int stat_one(struct work *w, const struct maildir_dir *d, struct store_msg *m)
{
	int rc = maildir_mail_stat(w->t, d, m->uid, w->vsize, w->e);
	if (rc == 1)
		take_facts(w->t, m);
	return rc;
}

static int stat_before(struct work *w, UNUSED int fd, UNUSED const struct maildir_dir *d)
{
	if (w->vsize) {
		uint32_t *uids = uids_of(w);
		maildir_box_recall(w->t, uids, w->n);
		free(uids);
	}
	return 1;
}

static int sizes(void *table, struct store_msg **m, size_t n, bool vsize, struct err *e)
{
	struct work w = { .t = table, .v = m, .n = n, .vsize = vsize, .e = e };
	return each(&w, stat_one, stat_before);
}

static int open_one(struct work *w, const struct maildir_dir *d, struct store_msg *m)
{
	int rc = maildir_mail_open(w->t, d, m->uid, &w->fd, w->e);
	if (rc == 1)
		take_facts(w->t, m);
	return rc;
}

static int open_mail(void *table, struct store_msg *m, struct store_content *out, struct err *e)
{
	struct work w = { .t = table, .v = &m, .n = 1, .fd = -1, .e = e };
	int rc = each(&w, open_one, NULL);
	*out = (struct store_content){ .fd = w.fd, .size = m->size, .vsize = m->vsize };
	return rc;
}

static int flags_before(struct work *w, int fd, const struct maildir_dir *d)
{
	const struct store_flag_change *c = w->change;
	w->mask = (struct mail_flag_change){ .op = c->op, .flags = c->flags };
	return maildir_keyword_mask(w->t, fd, d, c->keywords, c->nkeywords, c->op != STORE_FLAGS_REMOVE,
	        &w->mask.keywords, w->e);
}

static int flags_one(struct work *w, const struct maildir_dir *d, struct store_msg *m)
{
	int rc = maildir_mail_flags(w->t, d, m->uid, &w->mask, w->e);
	if (rc == 1) {
		const struct box_rec *r = maildir_box_find(w->t, m->uid);
		m->flags = r->flags;
		m->keywords = r->keywords;
	}
	return rc;
}

static int flags(void *table, struct store_msg **m, size_t n, const struct store_flag_change *c, struct err *e)
{
	struct work w = { .t = table, .v = m, .n = n, .change = c, .e = e };
	return each(&w, flags_one, flags_before);
}

static int remove_one(struct work *w, const struct maildir_dir *d, struct store_msg *m)
{
	int rc = maildir_mail_remove(w->t, d, m->uid, w->e);
	m->gone |= rc == 1;
	return rc;
}

/* First the tombstones, then the files: a delivery that is tried again finds one or the other. */
static int remove_before(struct work *w, UNUSED int fd, UNUSED const struct maildir_dir *d)
{
	uint32_t *uids = uids_of(w);
	maildir_box_bury(w->t, uids, w->n);
	free(uids);
	return 1;
}

static int remove_mails(void *table, struct store_msg **m, size_t n, struct err *e)
{
	struct work w = { .t = table, .v = m, .n = n, .e = e };
	return each(&w, remove_one, remove_before);
}

static int copy(void *from, void *to, bool move, struct mail_copy *v, size_t n, struct err *e)
{
	struct maildir_copy c = { .from = from, .to = to, .move = move, .v = v, .n = n };
	return maildir_copy(&c, e);
}

/* --- append -------------------------------------------------- */

struct append {
	const char *host;
	struct maildir_box *table;
	int root;
	struct maildir_dir d;
	struct maildir_tmp tmp;
	const struct store_append_meta *meta;
	uint32_t *uidvalidity, *uid;
	struct err *e;
};

static int append_begin(struct store_account *a, struct sv name, void **out, struct err *e)
{
	struct append *ap = mem_alloc(sizeof(*ap));
	ap->host = a->store->host;
	ap->table = table_new(a, name, false);
	int rc = maildir_box_dirs(ap->table, &ap->root, &ap->d, e);
	if (rc == 1 && maildir_tmp_open(&ap->d, ap->host, &ap->tmp, e) < 0) {
		maildir_dir_close(&ap->d);
		sys_close(ap->root);
		rc = -1;
	}
	if (rc != 1) {
		maildir_box_free(ap->table);
		free(ap);
		return rc;
	}
	*out = ap;
	return 1;
}

static int append_write(void *append, struct sv octets, struct err *e)
{
	struct append *ap = append;
	return maildir_tmp_write_crlf(&ap->d, &ap->tmp, octets, e);
}

/* tmp/ -> new/ with its UID on disk: the first session that is told of it moves it on. Locks of the
 * folder are held. 1, 0, -1. */
static int publish(struct append *ap, uint32_t keywords)
{
	char base[MAILDIR_NAME_MAX + 1];
	struct buf name;
	buf_init(&name, MAILDIR_NAME_MAX);
	maildir_unique_base(ap->host, ap->tmp.size, ap->tmp.vsize, base);
	struct mail_arrival in;
	int rc = maildir_name_arrival(&name, sv_z(base), ap->meta->flags, keywords);
	if (rc < 0 || sv_copyz(buf_sv(&name), in.name, sizeof(in.name)) < 0)
		rc = err_set(ap->e, ERR_BUG, "name of a mail file is too long");
	buf_free(&name);
	if (rc < 0)
		return -1;
	if (maildir_tmp_publish(&ap->d, &ap->tmp, in.name, true, ap->e) < 0)
		return ap->e->sys_errno == ENOENT ? 0 : -1;
	if (maildir_arrive(ap->table, &ap->d, &in, 1, ap->e) < 0) {
		(void)sys_unlinkat(ap->d.new_, in.name, 0);
		return -1;
	}
	*ap->uid = in.uid;
	*ap->uidvalidity = ap->table->list.h.uidvalidity;
	return 1;
}

static int append_commit(void *append, const struct store_append_meta *m, uint32_t *uidvalidity, uint32_t *uid,
	struct err *e)
{
	struct append *ap = append;
	uint32_t keywords = 0;
	int64_t mtime = m->internaldate ? m->internaldate : clock_wall_s();
	ap->meta = m;
	ap->uidvalidity = uidvalidity;
	ap->uid = uid;
	ap->e = e;
	int rc = maildir_tmp_write_end(&ap->d, &ap->tmp, e);
	if (rc >= 0)
		rc = maildir_tmp_sync(&ap->d, &ap->tmp, mtime, e);
	if (rc >= 0)
		rc = maildir_keywords_read(ap->table, &ap->d, e);
	if (rc >= 0)
		rc = maildir_keyword_mask(
		        ap->table, ap->root, &ap->d, m->keywords, m->nkeywords, true, &keywords, e);
	if (rc < 0)
		return -1;
	struct box_lock *l = maildir_arrive_lock(ap->table, ap->root, &ap->d, e);
	rc = l ? publish(ap, keywords) : -1;
	if (l)
		maildir_box_unlock(l);
	return rc;
}

static void append_end(void *append)
{
	struct append *ap = append;
	maildir_tmp_discard(&ap->d, &ap->tmp);
	maildir_dir_close(&ap->d);
	sys_close(ap->root);
	maildir_box_free(ap->table);
	free(ap);
}

/* --- delivery -------------------------------------------------- */

struct delivery {
	struct store_account *account;
	struct folder_dir folder;
	const struct store_delivery *delivery;
	enum store_delivered how;
	struct err *err;
};

static int deliver_locked(struct delivery *j, int root_fd)
{
	const struct store_delivery *dl = j->delivery;
	struct store_account *a = j->account;
	if (dl->maybe_before) {
		int rc =
		        maildir_key_find(root_fd, a->path, &dl->key, dl->head.len + dl->size, j->err);
		const struct index_tomb tomb = { dl->key, dl->head.len + dl->size };
		if (rc == 0 && a->index && index_tomb_has(a->index, &tomb, clock_wall_s()) == 1)
			rc = 1;
		if (rc != 0) {
			j->how = STORE_DELIVERED_BEFORE;
			return rc;
		}
	}
	struct maildir_dir d;
	int rc = maildir_dir_open(root_fd, a->path, &j->folder, &d, j->err);
	if (rc != 1)
		return rc;
	rc = maildir_deliver(&d, a->store->host, dl, j->err);
	maildir_dir_close(&d);
	j->how = STORE_DELIVERED_NEW;
	return rc;
}

static int deliver(struct store_account *a, struct sv name, const struct store_delivery *d,
	enum store_delivered *how, struct err *e)
{
	struct delivery j = { .account = a, .folder = dir_of(name), .delivery = d, .err = e };
	int fd, lock = -1, rc = maildir_root_open(a->path, a->uid, true, &fd, e);
	if (rc != 1)
		return rc;
	if (d->maybe_before)
		lock = account_lock(fd, a->path, a->store->lock_timeout_ms, e);
	rc = d->maybe_before && lock < 0 ? -1 : deliver_locked(&j, fd);
	if (lock >= 0)
		sys_close(lock);
	sys_close(fd);
	*how = j.how;
	return rc;
}

/* --- folders -------------------------------------------------- */

static struct folders folders_of(const struct store_account *a)
{
	return (struct folders){ a->path, a->uid, a->store->lock_timeout_ms, a->index };
}

static int list(struct store_account *a, struct folder_list *out, struct err *e)
{
	struct folders f = folders_of(a);
	return maildir_folders_list(&f, out, e);
}

static int create(struct store_account *a, struct sv name, struct err *e)
{
	struct folders f = folders_of(a);
	const struct folder_dir dir = dir_of(name);
	return maildir_folder_create(&f, &dir, e);
}

static int remove_folder(struct store_account *a, struct sv name, struct err *e)
{
	struct folders f = folders_of(a);
	const struct folder_dir dir = dir_of(name);
	return maildir_folder_delete(&f, &dir, e);
}

static int rename_folder(struct store_account *a, struct sv from, struct sv to, struct err *e)
{
	struct folders f = folders_of(a);
	return maildir_folder_rename(&f, from, to, e);
}

static int subscribe(struct store_account *a, struct sv name, bool on, struct err *e)
{
	struct folders f = folders_of(a);
	return maildir_subscribe(&f, name, on, e);
}

static void watch(const struct store_account *a, struct sv name, struct buf paths[2], UNUSED struct buf *entry)
{
	const struct folder_dir dir = dir_of(name);
	(void)buf_printf(&paths[0], "%s/%s/new", a->path, dir.z);
	(void)buf_printf(&paths[1], "%s/%s/cur", a->path, dir.z);
}

const struct store_driver store_maildir = {
	.prefix = SV_INIT("maildir:"),
	.kind = "maildir",
	.index = "merpati.index",
	.root = root,
	.name_check = name_check,
	.table_new = table_new,
	.table_free = table_free,
	.sync = sync_table,
	.facts = facts,
	.slots = slots,
	.at = at,
	.find = find,
	.sizes = sizes,
	.open = open_mail,
	.flags = flags,
	.remove = remove_mails,
	.copy = copy,
	.append_begin = append_begin,
	.append_write = append_write,
	.append_commit = append_commit,
	.append_end = append_end,
	.deliver = deliver,
	.list = list,
	.create = create,
	.remove_folder = remove_folder,
	.rename = rename_folder,
	.subscribe = subscribe,
	.watch = watch,
};
