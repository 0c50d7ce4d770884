/* The format "mbox" for the functions of store.h. */
#include "lib/store/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/account.h"
#include "lib/store/index.h"
#include "lib/store/maildir_dir.h"
#include "lib/store/maildir_save.h"
#include "lib/store/mbox_deliver.h"
#include "lib/store/mbox_folders.h"
#include "lib/store/mbox_mail.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

/* Does INBOX lie below the directory of the other mailboxes? */
static bool inbox_below(const struct store_account *a)
{
	size_t n = strlen(a->path);
	return strncmp(a->inbox, a->path, n) == 0 && a->inbox[n] == '/';
}

/* A directory that only other mailboxes need is made when one of them, or the state of INBOX, is to be kept there:
 * not by a delivery. */
static int root(const struct store_account *a, UNUSED bool create, struct err *e)
{
	if (!inbox_below(a))
		return 1;
	int fd = -1, rc = maildir_path_open(a->path, a->uid, true, &fd, e);
	if (rc == 1)
		sys_close(fd);
	return rc;
}

static int name_check(struct sv name, struct err *e)
{
	struct mbox_rel rel;
	return store_name_is_inbox(name) ? 1 : mbox_name_rel(name, &rel, e);
}

/* The file of a name that was checked, below the account's path. */
static struct mbox_rel rel_of(struct sv name)
{
	struct mbox_rel rel;
	return mbox_name_rel(name, &rel, NULL) == 1 ? rel : (struct mbox_rel){ "" };
}

/* --- tables -------------------------------------------------- */

struct table {
	struct mbox_box *b;
	struct store_account *a;
};

struct def {
	struct mbox_box_def d;
	char dir[4096 + 1];
	struct mbox_rel rel;
};

static void def_init(struct def *f, const struct store_account *a, struct sv name, bool writable)
{
	bool inbox = store_name_is_inbox(name);
	const char *slash = strrchr(a->inbox, '/');
	(void)snprintf(f->dir, sizeof(f->dir), "%.*s", (int)(slash > a->inbox ? slash - a->inbox : 1), a->inbox);
	if (!inbox)
		f->rel = rel_of(name);
	f->d = (struct mbox_box_def){
		.place = {
			.root = inbox ? f->dir : a->path,
			.rel = inbox ? slash + 1 : f->rel.z,
			.uid = inbox && a->store->any_owner ? (uid_t)-1 : a->uid,
			.lock_timeout_ms = a->store->lock_timeout_ms,
			.spool = inbox ? a->store->spool : NULL,
		},
		.ctl_path = a->control,
		.ctl_uid = a->uid,
		.writable = writable,
		.create = inbox,
	};
}

static struct mbox_box *box_new(struct store_account *a, struct sv name, bool writable)
{
	struct def *f = mem_alloc(sizeof(*f));
	def_init(f, a, name, writable);
	struct mbox_box *b = mbox_box_new(&f->d);
	free(f);
	return b;
}

static void *table_new(struct store_account *a, struct sv name, bool writable)
{
	struct table *t = mem_alloc(sizeof(*t));
	t->a = a;
	t->b = box_new(a, name, writable);
	return t;
}

static void table_free(void *table)
{
	struct table *t = table;
	if (!t)
		return;
	mbox_box_free(t->b);
	free(t);
}

static int sync_table(void *table, struct err *e)
{
	struct table *t = table;
	return mbox_box_sync(t->b, e);
}

static struct table_facts facts(const void *table)
{
	const struct table *t = table;
	return (struct table_facts){ .uidvalidity = t->b->st.uidvalidity,
		.nextuid = t->b->st.nextuid,
		.guid = t->b->st.guid,
		.kw = &t->b->kw,
		.lost = t->b->lost };
}

static size_t slots(const void *table)
{
	const struct table *t = table;
	return t->b->n;
}

static bool fill(const struct mbox_rec *r, struct table_mail *out)
{
	if (!r)
		return false;
	*out = (struct table_mail){
		.m = { .uid = r->want.uid,
		        .flags = r->want.flags,
		        .keywords = r->want.keywords,
		        .recent = r->recent,
		        .internaldate = r->mail.date,
		        .size = r->mail.size,
		        .vsize = r->mail.vsize },
		.fresh = !r->disk.old,
		.tag = r->mail.hash,
	};
	return true;
}

static bool at(const void *table, size_t slot, struct table_mail *out)
{
	const struct table *t = table;
	return fill(&t->b->recs[t->b->by_uid[slot]], out);
}

static bool find(void *table, uint32_t uid, struct table_mail *out)
{
	struct table *t = table;
	return fill(mbox_box_find(t->b, uid), out);
}

/* --- mails -------------------------------------------------- */

static uint32_t *uids_of(struct store_msg **m, size_t n)
{
	uint32_t *uids = mem_array(n ? n : 1, sizeof(*uids));
	for (size_t i = 0; i < n; i++)
		uids[i] = m[i]->uid;
	return uids;
}

/* What the table knows of the mails, into the view. 1 all, 0 some are gone. */
static int take(void *table, struct store_msg **m, size_t n)
{
	int rc = 1;
	for (size_t i = 0; i < n; i++) {
		struct table_mail now;
		if (find(table, m[i]->uid, &now)) {
			m[i]->flags = now.m.flags;
			m[i]->keywords = now.m.keywords;
			m[i]->size = now.m.size;
			m[i]->vsize = now.m.vsize;
			m[i]->internaldate = now.m.internaldate;
		} else {
			m[i]->gone = true;
			rc = 0;
		}
	}
	return rc;
}

/* A look at the file told all there is to know. */
static int sizes(void *table, struct store_msg **m, size_t n, UNUSED bool vsize, UNUSED struct err *e)
{
	return take(table, m, n);
}

static int open_mail(void *table, struct store_msg *m, struct store_content *out, struct err *e)
{
	struct table *t = table;
	int rc = mbox_mail_open(t->b, m->uid, out, e);
	m->gone |= rc == 0;
	return rc;
}

static int flags(void *table, struct store_msg **m, size_t n, const struct store_flag_change *c, struct err *e)
{
	struct table *t = table;
	uint32_t *uids = uids_of(m, n);
	int rc = mbox_mail_flags(t->b, uids, n, c, e);
	free(uids);
	if (rc == 1 && !t->b->loaded)
		rc = mbox_box_sync(t->b, e);
	return rc == 1 ? take(table, m, n) : rc;
}

/* Delivery keys of mails that are about to go are remembered: a delivery that is tried again finds them. */
static void bury(struct table *t, const uint32_t *uids, size_t n)
{
	struct index_guid g;
	if (!t->a->index || n == 0 || index_guid_parse(sv_z(t->b->st.guid), &g) < 0)
		return;
	struct index_tomb *tombs = mem_array(n, sizeof(*tombs));
	size_t ntombs = 0;
	for (size_t i = 0; i < n; i++) {
		const struct mbox_rec *r = mbox_box_find(t->b, uids[i]);
		if (r && r->key && strlen(r->key) == STORE_KEY_LEN)
			(void)snprintf(tombs[ntombs++].key.hex, sizeof(tombs->key.hex), "%s", r->key);
	}
	(void)index_expunged(t->a->index, &g, uids, n, tombs, ntombs, clock_wall_s());
	free(tombs);
}

static int remove_uids(struct table *t, const uint32_t *uids, size_t n, struct err *e)
{
	bury(t, uids, n);
	return mbox_mail_remove(t->b, uids, n, e);
}

static int remove_mails(void *table, struct store_msg **m, size_t n, struct err *e)
{
	uint32_t *uids = uids_of(m, n);
	int rc = remove_uids(table, uids, n, e);
	free(uids);
	for (size_t i = 0; i < n && rc >= 0; i++)
		m[i]->gone = true;
	return rc;
}

static int copy(void *from, void *to, bool move, struct mail_copy *v, size_t n, struct err *e)
{
	struct table *source = from, *target = to;
	int rc = mbox_mail_copy(source->b, target->b, v, n, e);
	if (rc != 1 || !move)
		return rc;
	uint32_t *uids = mem_array(n ? n : 1, sizeof(*uids));
	size_t nuids = 0;
	for (size_t i = 0; i < n; i++)
		if (v[i].to)
			uids[nuids++] = v[i].from;
	rc = remove_uids(source, uids, nuids, e);
	free(uids);
	return rc < 0 ? -1 : 1;
}

/* --- append, delivery -------------------------------------------------- */

struct append {
	struct mbox_box *b;
	struct maildir_dir d; /* only .path, for messages */
	struct maildir_tmp tmp;
};

/* A file for the octets, if there is such a mailbox. */
static int begin(struct append *ap, struct err *e)
{
	struct mbox_io io;
	int rc = mbox_io_open(&io, ap->b, e);
	if (rc != 1)
		return rc;
	ap->tmp.fd = mbox_ctl_spool(&io.ctl, e);
	mbox_io_close(&io);
	return ap->tmp.fd < 0 ? -1 : 1;
}

static int append_begin(struct store_account *a, struct sv name, void **out, struct err *e)
{
	struct append *ap = mem_alloc(sizeof(*ap));
	ap->b = box_new(a, name, false);
	(void)snprintf(ap->d.path, sizeof(ap->d.path), "%s", a->control);
	int rc = begin(ap, e);
	if (rc == 1) {
		*out = ap;
		return 1;
	}
	mbox_box_free(ap->b);
	free(ap);
	return rc;
}

static int append_write(void *append, struct sv octets, struct err *e)
{
	struct append *ap = append;
	return maildir_tmp_write_crlf(&ap->d, &ap->tmp, octets, e);
}

static int append_commit(void *append, const struct store_append_meta *m, uint32_t *uidvalidity, uint32_t *uid,
	struct err *e)
{
	struct append *ap = append;
	if (maildir_tmp_write_end(&ap->d, &ap->tmp, e) < 0)
		return -1;
	int rc = mbox_mail_append(ap->b, ap->tmp.fd, ap->tmp.size, m, uid, e);
	*uidvalidity = ap->b->st.uidvalidity;
	return rc;
}

static void append_end(void *append)
{
	struct append *ap = append;
	sys_close(ap->tmp.fd);
	mbox_box_free(ap->b);
	free(ap);
}

static int deliver(struct store_account *a, struct sv name, const struct store_delivery *d,
	enum store_delivered *how, struct err *e)
{
	if (d->maybe_before && a->index) {
		const struct index_tomb tomb = { d->key, 0 };
		*how = STORE_DELIVERED_BEFORE;
		if (index_tomb_has(a->index, &tomb, clock_wall_s()) == 1)
			return 1;
	}
	struct def *f = mem_alloc(sizeof(*f));
	def_init(f, a, name, false);
	int rc = mbox_deliver(&f->d, d, how, e);
	free(f);
	return rc;
}

/* --- folders -------------------------------------------------- */

static struct mbox_folders folders_of(const struct store_account *a)
{
	return (struct mbox_folders){ a->path, a->control, a->uid, a->store->lock_timeout_ms };
}

static int list(struct store_account *a, struct folder_list *out, struct err *e)
{
	struct mbox_folders f = folders_of(a);
	return mbox_folders_list(&f, out, e);
}

static int create(struct store_account *a, struct sv name, struct err *e)
{
	struct mbox_folders f = folders_of(a);
	const struct mbox_rel rel = rel_of(name);
	return mbox_folder_create(&f, &rel, e);
}

static int remove_folder(struct store_account *a, struct sv name, struct err *e)
{
	struct mbox_folders f = folders_of(a);
	const struct mbox_rel rel = rel_of(name);
	struct table *t = table_new(a, name, false);
	if (mbox_box_sync(t->b, e) == 1) {
		uint32_t *uids = mem_array(t->b->n ? t->b->n : 1, sizeof(*uids));
		for (size_t i = 0; i < t->b->n; i++)
			uids[i] = t->b->recs[i].want.uid;
		bury(t, uids, t->b->n);
		free(uids);
	}
	table_free(t);
	return mbox_folder_delete(&f, &rel, e);
}

static int rename_folder(struct store_account *a, struct sv from, struct sv to, struct err *e)
{
	struct mbox_folders f = folders_of(a);
	return mbox_folder_rename(&f, from, to, e);
}

static int subscribe(struct store_account *a, struct sv name, bool on, struct err *e)
{
	struct mbox_folders f = folders_of(a);
	return mbox_folder_subscribe(&f, name, on, e);
}

static void watch(const struct store_account *a, struct sv name, struct buf paths[2], struct buf *only)
{
	const struct mbox_rel rel = store_name_is_inbox(name) ? (struct mbox_rel){ "" } : rel_of(name);
	(void)(rel.z[0] ? buf_printf(&paths[0], "%s/%s", a->path, rel.z) : buf_puts(&paths[0], a->inbox));
	ptrdiff_t slash = sv_rchr(buf_sv(&paths[0]), '/');
	(void)buf_put_sv(&paths[1], sv_upto(buf_sv(&paths[0]), slash > 0 ? (size_t)slash : 1));
	(void)buf_put_sv(only, sv_from(buf_sv(&paths[0]), (size_t)slash + 1));
}

const struct store_driver store_mbox = {
	.prefix = SV_INIT("mbox:"),
	.kind = "mailbox",
	.one_at_a_time = true,
	.index = ".merpati",
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
