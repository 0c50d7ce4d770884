#include "lib/store/maildir_box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/account.h"
#include "lib/store/dotlock.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define COMPACT_MIN 64 /* lines of vanished mail before a rewrite pays */

struct maildir_box *maildir_box_new(
        const struct maildir_box_def *def, const struct folder_dir *folder)
{
	struct maildir_box *b = mem_alloc(sizeof(*b));
	b->root_path = mem_strdup(def->root_path);
	b->host = mem_strdup(def->host);
	b->uid = def->uid;
	b->lock_timeout_ms = def->lock_timeout_ms;
	b->writable = def->writable;
	b->index = def->index;
	b->folder = *folder;
	b->dirty = true;
	htab_init(&b->by_base, (struct hash_seed){ rand_u64(), rand_u64() });
	return b;
}

static void rec_free(struct box_rec *r)
{
	free(r->base);
	free(r->info);
	free(r->ext);
}

void maildir_box_truncate(struct maildir_box *b, size_t n)
{
	while (b->n > n) {
		struct box_rec *r = &b->recs[--b->n];
		if (r->base[0] && maildir_box_by_base(b, sv_z(r->base)) == NULL)
			(void)htab_del(&b->by_base,
			        sv_z(r->base)); /* the last record is not found by bsearch */
		rec_free(r);
	}
}

void maildir_box_free(struct maildir_box *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		rec_free(&b->recs[i]);
	free(b->recs);
	free(b->learned);
	htab_free(&b->by_base);
	free(b->root_path);
	free(b->host);
	free(b);
}

struct box_rec *maildir_box_find(struct maildir_box *b, uint32_t uid)
{
	size_t lo = 0, hi = b->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->recs[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->n && b->recs[lo].uid == uid ? &b->recs[lo] : NULL;
}

struct box_rec *maildir_box_by_base(struct maildir_box *b, struct sv base)
{
	void *uid = htab_get(&b->by_base, base);
	return uid ? maildir_box_find(b, (uint32_t)(uintptr_t)uid) : NULL;
}

struct box_rec *maildir_box_push(struct maildir_box *b, uint32_t uid, struct sv base, struct sv ext)
{
	if (b->n >= BOX_MESSAGES_MAX)
		return NULL;
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->recs = mem_realloc(b->recs, b->cap * sizeof(*b->recs));
	}
	/* a later line takes a name over from an earlier one, as Dovecot reads it */
	struct box_rec *old = maildir_box_by_base(b, base);
	if (old) {
		old->base[0] = '\0';
		old->where = BOX_ABSENT;
		b->list.rewrite = true;
	}
	struct box_rec *r = &b->recs[b->n++];
	*r = (struct box_rec){ .uid = uid, .base = mem_svdup(base) };
	if (!sv_empty(ext))
		r->ext = mem_svdup(ext);
	(void)htab_set(&b->by_base, base, (void *)(uintptr_t)uid);
	return r;
}

void maildir_box_name(const struct box_rec *r, char name[MAILDIR_NAME_MAX + 1])
{
	(void)snprintf(name, MAILDIR_NAME_MAX + 1, "%s%s", r->base, r->info ? r->info : "");
}

void maildir_rec_set_info(struct box_rec *r, struct sv name)
{
	struct sv info = maildir_name_info(name);
	if (r->info && sv_eqz(info, r->info))
		return;
	free(r->info);
	r->info = sv_empty(info) ? NULL : mem_svdup(info);
}

int maildir_box_dirs(const struct maildir_box *b, int *root, struct maildir_dir *d, struct err *e)
{
	int rc = maildir_root_open(b->root_path, b->uid, false, root, e);
	if (rc != 1)
		return rc;
	rc = maildir_dir_open(*root, b->root_path, &b->folder, d, e);
	if (rc != 1)
		sys_close(*root);
	return rc;
}

struct box_lock {
	int account;
	struct dotlock dot;
};

struct box_lock *maildir_box_lock(
        struct maildir_box *b, int root, const struct maildir_dir *d, struct err *e)
{
	struct box_lock *l = mem_alloc(sizeof(*l));
	l->account = account_lock(root, b->root_path, b->lock_timeout_ms, e);
	if (l->account < 0) {
		free(l);
		return NULL;
	}
	if (dotlock_take(&l->dot, d->dir, d->path, "dovecot-uidlist.lock", b->lock_timeout_ms, e) <
	        0) {
		sys_close(l->account);
		free(l);
		return NULL;
	}
	return l;
}

void maildir_box_unlock(struct box_lock *l)
{
	dotlock_drop(&l->dot);
	sys_close(l->account);
	free(l);
}

/* --- index -------------------------------------------------- */

#define LEARN_MAX 512

void maildir_box_recall(struct maildir_box *b, const uint32_t *uids, size_t n)
{
	struct index_guid g;
	if (!b->index || n == 0 || index_guid_parse(sv_z(b->list.h.guid), &g) < 0)
		return;
	struct index_size *v = mem_array(n, sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		const struct box_rec *r = maildir_box_find(b, uids[i]);
		v[i].uid = uids[i];
		v[i].tag = r ? index_tag(sv_z(r->base)) : 0;
	}
	if (index_sizes_get(b->index, &g, v, n) == 1)
		for (size_t i = 0; i < n; i++) {
			struct box_rec *r = v[i].vsize ? maildir_box_find(b, v[i].uid) : NULL;
			if (r && (r->size == 0 || r->size == v[i].size)) {
				r->size = v[i].size;
				r->vsize = v[i].vsize;
			}
		}
	free(v);
}

void maildir_box_learned(struct maildir_box *b, const struct box_rec *r)
{
	if (!b->index)
		return;
	if (!b->learned)
		b->learned = mem_array(LEARN_MAX, sizeof(*b->learned));
	if (b->nlearned == LEARN_MAX)
		maildir_box_flush(b);
	b->learned[b->nlearned++] =
	        (struct index_size){ r->uid, index_tag(sv_z(r->base)), r->size, r->vsize };
}

void maildir_box_flush(struct maildir_box *b)
{
	struct index_guid g;
	if (b->nlearned > 0 && index_guid_parse(sv_z(b->list.h.guid), &g) == 1)
		(void)index_sizes_put(b->index, &g, b->learned, b->nlearned);
	b->nlearned = 0;
}

void maildir_box_bury(struct maildir_box *b, const uint32_t *uids, size_t n)
{
	struct index_guid g;
	if (!b->index || n == 0 || index_guid_parse(sv_z(b->list.h.guid), &g) < 0)
		return;
	struct index_tomb *tombs = mem_array(n, sizeof(*tombs));
	size_t ntombs = 0;
	for (size_t i = 0; i < n; i++) {
		const struct box_rec *r = maildir_box_find(b, uids[i]);
		struct maildir_name name;
		if (r && maildir_name_parse(sv_z(r->base), &name) == 1 && !sv_empty(name.key)) {
			tombs[ntombs].size = name.size;
			(void)snprintf(tombs[ntombs++].key.hex, sizeof(tombs->key.hex), "%.*s",
			        SV_ARG(name.key));
		}
	}
	(void)index_expunged(b->index, &g, uids, n, tombs, ntombs, clock_wall_s());
	free(tombs);
}

/* A uidlist that lost lines gives itself away: the index has seen a higher next UID. */
static void check_index(struct maildir_box *b)
{
	struct index_guid g;
	uint32_t next = b->list.h.nextuid;
	if (!b->index || b->index_checked || index_guid_parse(sv_z(b->list.h.guid), &g) < 0)
		return;
	b->index_checked = true;
	if (index_box_check(b->index, &g, b->list.h.uidvalidity, &next) == 1 &&
	        next > b->list.h.nextuid) {
		log_warn("%s/%s: dovecot-uidlist lost lines: UIDs go on at %u", b->root_path,
		        b->folder.z, next);
		b->list.h.nextuid = next;
		b->list.rewrite = true;
	}
}

/* --- sync -------------------------------------------------- */

/* Move a file of new/ to cur/. 1 done, 0 somebody else did, -1. NAME gets an info part. */
static int to_cur(const struct maildir_dir *d, const char *name, char out[MAILDIR_NAME_MAX + 8],
        struct err *e)
{
	bool has_info = strchr(name, ':') != NULL;
	(void)snprintf(out, MAILDIR_NAME_MAX + 8, "%s%s", name, has_info ? "" : ":2,");
	if (sys_renameat(d->new_, name, d->cur, out) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	return err_sys(e, errno, "rename %s/new/%s to cur", d->path, name);
}

static int move_known(struct maildir_box *b, const struct maildir_dir *d, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		struct box_rec *r = &b->recs[i];
		if (r->where != BOX_NEW)
			continue;
		char name[MAILDIR_NAME_MAX + 1], moved[MAILDIR_NAME_MAX + 8];
		maildir_box_name(r, name);
		int rc = to_cur(d, name, moved, e);
		if (rc < 0)
			return -1;
		b->dirty |= rc == 0;
		if (rc == 1) {
			r->where = BOX_CUR;
			r->recent = true;
			maildir_rec_set_info(r, sv_z(moved));
		}
	}
	return 0;
}

/* Give UIDs to what has none. The files stay where they are until the UIDs are on disk. */
static int assign(
        struct maildir_box *b, const struct maildir_dir *d, struct box_pendings *p, struct err *e)
{
	size_t first = b->n;
	uint32_t next = b->list.h.nextuid;
	maildir_pendings_sort(p);
	for (size_t i = 0; i < p->n; i++) {
		struct maildir_name n;
		if (maildir_name_parse(sv_z(p->v[i].name), &n) != 1 ||
		        maildir_box_by_base(b, n.base))
			continue; /* the same base in new/ and cur/: one mail */
		struct box_rec *r = maildir_box_push(b, b->list.h.nextuid, n.base, SV_NONE);
		if (!r) {
			maildir_box_truncate(b, first);
			b->list.h.nextuid = next;
			return err_set(e, ERR_TEMP, "%s: more than %u messages", d->path,
			        BOX_MESSAGES_MAX);
		}
		b->list.h.nextuid++;
		r->flags = n.flags;
		r->keywords = n.keywords;
		r->size = n.size;
		r->vsize = n.vsize;
		r->where = p->v[i].in_new ? BOX_NEW : BOX_CUR;
		r->recent = p->v[i].in_new && !b->writable;
		r->mark = b->scan;
		maildir_rec_set_info(r, sv_z(p->v[i].name));
	}
	if (first == b->n && !b->list.rewrite)
		return 0;
	if (maildir_uidlist_write(b, d, first, e) < 0) {
		maildir_box_truncate(b, first);
		b->list.h.nextuid = next;
		b->dirty = true;
		return -1;
	}
	return 0;
}

/* What needs the locks: UIDs for new files, new/ emptied, a broken uidlist written anew. */
static int sync_locked(struct maildir_box *b, int root, const struct maildir_dir *d,
        struct box_pendings *p, struct err *e)
{
	struct box_lock *l = maildir_box_lock(b, root, d, e);
	if (!l)
		return -1;
	int rc = maildir_uidlist_read(b, d, e);
	if (rc == 0 || (rc == 1 && b->list.h.nextuid > UIDLIST_UID_MAX - BOX_MESSAGES_MAX))
		rc = maildir_uidlist_reset(b, root, e);
	if (rc >= 0) {
		/* others may have moved files while we waited: look again */
		maildir_pendings_free(p);
		rc = maildir_scan(b, d, p, e);
	}
	if (rc >= 0)
		rc = assign(b, d, p, e);
	if (rc >= 0 && b->writable)
		rc = move_known(b, d, e);
	maildir_box_unlock(l);
	return rc < 0 ? -1 : 0;
}

static bool any_missed(const struct maildir_box *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->recs[i].mark != b->scan && !b->recs[i].gone)
			return true;
	return false;
}

static bool any_new(const struct maildir_box *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->recs[i].where == BOX_NEW)
			return true;
	return false;
}

/* Files that no scan saw are gone. A rename while a directory is read can hide a file: look twice. */
static int settle(
        struct maildir_box *b, const struct maildir_dir *d, struct box_pendings *p, struct err *e)
{
	if (any_missed(b)) {
		uint32_t first = b->scan;
		maildir_pendings_free(p);
		if (maildir_scan(b, d, p, e) < 0)
			return -1;
		for (size_t i = 0; i < b->n; i++)
			if (b->recs[i].mark != b->scan && b->recs[i].mark != first) {
				b->recs[i].where = BOX_ABSENT;
				b->recs[i].gone = true;
			}
		b->dirty |= p->n > 0;
	}
	size_t gone = 0;
	for (size_t i = 0; i < b->n; i++)
		gone += b->recs[i].gone;
	if (gone > COMPACT_MIN && gone > b->n / 4)
		b->list.rewrite = true; /* by the next change of the file */
	return 0;
}

int maildir_box_sync(struct maildir_box *b, struct err *e)
{
	int root;
	struct maildir_dir d;
	int rc = maildir_box_dirs(b, &root, &d, e);
	if (rc != 1)
		return rc;
	struct box_pendings p = { 0 };
	rc = maildir_uidlist_read(b, &d, e);
	bool reset = rc == 0;
	if (rc == 1)
		check_index(b);
	if (rc >= 0)
		rc = maildir_keywords_read(b, &d, e);
	bool scan = rc >= 0 && (reset || b->dirty || maildir_scan_needed(b, &d));
	if (scan) {
		b->dirty = false;
		rc = maildir_scan(b, &d, &p, e);
		bool work = reset || b->list.rewrite || p.n > 0 || (b->writable && any_new(b));
		if (rc >= 0 && work)
			rc = sync_locked(b, root, &d, &p, e);
		if (rc >= 0)
			rc = settle(b, &d, &p, e);
		if (rc < 0)
			b->dirty = true;
	}
	maildir_pendings_free(&p);
	maildir_dir_close(&d);
	sys_close(root);
	return rc < 0 ? -1 : 1;
}
