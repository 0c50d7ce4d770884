/*
 * dovecot-uidlist on disk. Two ways to change it, both under dovecot-uidlist.lock:
 *
 *   append   new lines at the end, then fdatasync. A torn last line has no LF and does not exist for
 *            readers; the next writer sees it and rewrites.
 *   rewrite  dovecot-uidlist.tmp, fsync, rename over it, fsync of the directory.
 *
 * Invariants: N of the header never shrinks while V stays; lines ascend; a UID that was ever on a line
 * that a reader may have seen is below N or below the last line, so it is never given away again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/num.h"
#include "lib/store/maildir_box.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define LIST         "dovecot-uidlist"
#define LIST_TMP     "dovecot-uidlist.tmp"
#define LIST_DOUBT   "dovecot-uidlist.unsynced"
#define VALIDITY     "dovecot-uidvalidity"
#define SYNC_FRESH_S 60 /* lines younger than this may not be on disk yet */

/* What is known of the table before a whole read, to be carried over. */
struct old_table {
	struct box_rec *recs;
	size_t n;
	struct htab by_base;
	uint32_t uidvalidity, nextuid;
};

static void table_take(struct maildir_box *b, struct old_table *old)
{
	*old = (struct old_table){ .recs = b->recs, .n = b->n, .by_base = b->by_base };
	old->uidvalidity = b->list.h.uidvalidity;
	old->nextuid = b->list.h.nextuid;
	b->recs = NULL;
	b->n = b->cap = 0;
	htab_init(&b->by_base, (struct hash_seed){ rand_u64(), rand_u64() });
}

static void table_drop(struct old_table *old)
{
	for (size_t i = 0; i < old->n; i++) {
		free(old->recs[i].base);
		free(old->recs[i].info);
		free(old->recs[i].ext);
	}
	free(old->recs);
	htab_free(&old->by_base);
}

static struct box_rec *table_find(struct old_table *old, uint32_t uid)
{
	size_t lo = 0, hi = old->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (old->recs[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < old->n && old->recs[lo].uid == uid ? &old->recs[lo] : NULL;
}

/* Bring what the old table knew about a file into the record of the same UID and name. */
static void carry_over(struct old_table *old, struct box_rec *r)
{
	struct box_rec *o = table_find(old, r->uid);
	if (!o || strcmp(o->base, r->base) != 0)
		return;
	char *base = r->base, *ext = r->ext;
	*r = *o;
	r->base = base;
	r->ext = ext;
	o->info = NULL;
}

/* Lines of TEXT into the table; returns the octets of whole lines. */
static size_t read_lines(struct maildir_box *b, struct sv text, struct old_table *old)
{
	struct sv rest = text, line;
	size_t lost = 0, done = 0;
	while (memchr(rest.p, '\n', rest.len) != NULL && sv_take_line(&rest, &line)) {
		done = text.len - rest.len;
		struct uidlist_record r;
		uint32_t last = b->n ? b->recs[b->n - 1].uid : 0;
		struct box_rec *rec = NULL;
		if (uidlist_record_parse(line, b->list.h.version, &r) == 1 && r.uid > last)
			rec = maildir_box_push(b, r.uid, r.base, r.ext);
		if (!rec) {
			lost += line.len + 1;
			continue;
		}
		rec->size = r.size;
		rec->vsize = r.vsize;
		if (old)
			carry_over(old, rec);
	}
	uint32_t last = b->n ? b->recs[b->n - 1].uid : 0;
	if (b->list.h.nextuid <= last)
		b->list.h.nextuid = last + 1;
	if (lost > 0) {
		/* A lost line may have held a UID that somebody saw. A line has five octets or more. */
		size_t skip = lost / 5 + 1;
		size_t room = UINT32_MAX - b->list.h.nextuid;
		b->list.h.nextuid += (uint32_t)(skip < room ? skip : room);
		b->list.rewrite = true;
		log_warn("%s/%s/%s: %zu octets of broken lines dropped", b->root_path, b->folder.z,
		        LIST, lost);
	}
	return done;
}

/* The file from OFFSET on. NULL with E. */
static char *slurp(
        int fd, off_t offset, off_t size, const struct maildir_dir *d, size_t *len, struct err *e)
{
	if (size - offset > (off_t)BOX_UIDLIST_MAX) {
		err_set(e, ERR_TEMP, "%s/%s is larger than %u octets", d->path, LIST,
		        BOX_UIDLIST_MAX);
		return NULL;
	}
	*len = (size_t)(size - offset);
	char *text = mem_alloc(*len + 1);
	if (sys_pread_all(fd, text, *len, offset) < 0) {
		err_sys(e, errno, "read %s/%s", d->path, LIST);
		free(text);
		return NULL;
	}
	return text;
}

/* 1; 0 the header is of no use. */
static int read_header(struct maildir_box *b, struct sv text, const struct maildir_dir *d)
{
	struct sv rest = text, line;
	struct uidlist_header h;
	if (!memchr(text.p, '\n', text.len > UIDLIST_LINE_MAX ? UIDLIST_LINE_MAX : text.len) ||
	        !sv_take_line(&rest, &line) || uidlist_header_parse(line, &h) != 1) {
		log_warn("%s/%s: the header is broken: UIDs are given anew", d->path, LIST);
		return 0;
	}
	b->list.head_len = text.len - rest.len;
	memcpy(b->list.head, text.p, b->list.head_len);
	b->list.rewrite = h.version != 3 || !h.guid[0];
	if (!h.guid[0])
		(void)snprintf(h.guid, sizeof(h.guid), "%016" PRIx64 "%016" PRIx64, rand_u64(),
		        rand_u64());
	b->list.h = h;
	return 1;
}

static int read_whole(struct maildir_box *b, int fd, const struct stat *st,
        const struct maildir_dir *d, struct err *e)
{
	size_t len;
	char *text = slurp(fd, 0, st->st_size, d, &len, e);
	if (!text)
		return -1;
	struct old_table old;
	table_take(b, &old);
	int rc = read_header(b, sv_n(text, len), d);
	if (rc == 1) {
		bool same = old.uidvalidity == b->list.h.uidvalidity;
		size_t head = b->list.head_len;
		size_t done = read_lines(b, sv_from(sv_n(text, len), head), same ? &old : NULL);
		b->list.known = (off_t)(head + done);
		b->list.rewrite |= head + done != len;
		b->lost |= old.uidvalidity != 0 && !same;
		if (same && b->list.h.nextuid < old.nextuid) {
			b->list.h.nextuid = old.nextuid;
			b->list.rewrite = true;
		}
	}
	b->dirty = true;
	table_drop(&old);
	free(text);
	return rc;
}

/* Only the tail is new: same file, same header, longer. 1 read; 0 read it whole; -1. */
static int read_tail(struct maildir_box *b, int fd, const struct stat *st,
        const struct maildir_dir *d, struct err *e)
{
	if (!b->list.loaded || st->st_dev != b->list.dev || st->st_ino != b->list.ino ||
	        st->st_size < b->list.known)
		return 0;
	char head[UIDLIST_LINE_MAX + 1];
	if (sys_pread_all(fd, head, b->list.head_len, 0) < 0)
		return err_sys(e, errno, "read %s/%s", d->path, LIST);
	if (memcmp(head, b->list.head, b->list.head_len) != 0)
		return 0;
	if (st->st_size == b->list.known)
		return 1;
	size_t len;
	char *text = slurp(fd, b->list.known, st->st_size, d, &len, e);
	if (!text)
		return -1;
	size_t done = read_lines(b, sv_n(text, len), NULL);
	b->list.known += (off_t)done;
	b->list.rewrite |= done != len;
	b->dirty = true;
	free(text);
	return 1;
}

int maildir_uidlist_read(struct maildir_box *b, const struct maildir_dir *d, struct err *e)
{
	int fd = sys_openat(d->dir, LIST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, errno, "open %s/%s", d->path, LIST);
	}
	struct stat st;
	int rc = -1;
	if (sys_fstat(fd, &st) < 0)
		err_sys(e, errno, "stat %s/%s", d->path, LIST);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_TEMP, "%s/%s is not a regular file", d->path, LIST);
	else {
		off_t known = b->list.known;
		rc = read_tail(b, fd, &st, d, e);
		if (rc == 0)
			rc = read_whole(b, fd, &st, d, e);
		/* a writer that still holds the lock may not have synced what we just read */
		if (rc == 1 && (st.st_size != known || !b->list.loaded) &&
		        clock_wall_s() - (int64_t)st.st_mtime < SYNC_FRESH_S &&
		        sys_fdatasync(fd) < 0)
			rc = err_sys(e, errno, "fdatasync %s/%s", d->path, LIST);
		/* its rename is not known to be durable: the next rewrite will make it so */
		if (rc == 1 && st.st_nlink > 1)
			b->list.rewrite = b->dirty = true;
		if (rc == 1) {
			b->list.dev = st.st_dev;
			b->list.ino = st.st_ino;
			b->list.loaded = true;
		}
	}
	sys_close(fd);
	return rc;
}

int maildir_uidvalidity_next(int root, const char *path, uint32_t *out, struct err *e)
{
	int fd = sys_openat(root, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			sys_close(fd);
		return err_sys(e, saved, "open %s", path);
	}
	uint32_t had = 0;
	char old[64] = "";
	struct dirent *de;
	while ((de = readdir(dir)) != NULL) {
		struct sv name = sv_z(de->d_name);
		if (!sv_starts(name, SV(VALIDITY ".")) || name.len != sizeof(VALIDITY) + 8)
			continue;
		uint32_t v = 0;
		bool hex = true;
		for (size_t i = sizeof(VALIDITY); i < name.len; i++) {
			int digit = num_hex(name.p[i]);
			hex &= digit >= 0;
			v = v * 16 + (uint32_t)(digit & 15);
		}
		if (hex && v >= had) {
			had = v;
			hex = sv_copyz(name, old, sizeof(old)) == 0;
		}
	}
	(void)closedir(dir);
	int64_t now = clock_wall_s();
	/* the clock may be behind, before 1970 or after 2106: then one more than the last, never 0 */
	uint32_t next = now > had && now < UINT32_MAX ? (uint32_t)now : had + 1;
	if (next == 0)
		next = 1;
	char name[64];
	(void)snprintf(name, sizeof(name), VALIDITY ".%08x", next);
	int rc;
	if (old[0])
		rc = sys_renameat(root, old, root, name);
	else {
		rc = sys_openat(root, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0444);
		if (rc >= 0)
			sys_close(rc);
	}
	if (rc < 0)
		return err_sys(e, errno, "create %s/%s", path, name);
	fd = sys_openat(root, VALIDITY, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (fd >= 0) { /* a hint for Dovecot; the name above counts */
		(void)sys_pwrite_all(fd, name + sizeof(VALIDITY), 8, 0);
		sys_close(fd);
	}
	*out = next;
	return maildir_sync(root, path, "", e);
}

int maildir_uidlist_reset(struct maildir_box *b, int root, struct err *e)
{
	uint32_t validity;
	if (maildir_uidvalidity_next(root, b->root_path, &validity, e) < 0)
		return -1;
	b->lost |= b->list.loaded;
	for (size_t i = 0; i < b->n; i++) {
		free(b->recs[i].base);
		free(b->recs[i].info);
		free(b->recs[i].ext);
	}
	b->n = 0;
	htab_free(&b->by_base);
	htab_init(&b->by_base, (struct hash_seed){ rand_u64(), rand_u64() });
	char guid[sizeof(b->list.h.guid)];
	memcpy(guid, b->list.h.guid, sizeof(guid));
	b->list = (struct box_uidlist){ .rewrite = true };
	b->list.h = (struct uidlist_header){ .version = 3, .uidvalidity = validity, .nextuid = 1 };
	(void)snprintf(b->list.h.guid, sizeof(b->list.h.guid), "%016" PRIx64 "%016" PRIx64,
	        rand_u64(), rand_u64());
	if (guid[0])
		memcpy(b->list.h.guid, guid, sizeof(guid));
	return 0;
}

static void format_records(struct buf *out, const struct maildir_box *b, size_t first, bool all)
{
	for (size_t i = first; i < b->n; i++) {
		const struct box_rec *r = &b->recs[i];
		/* a rewrite leaves out what is gone; its UIDs stay below N */
		if (r->base[0] && !(all && r->gone))
			(void)uidlist_record_format(out, r->uid, sv_z(r->ext), sv_z(r->base));
	}
}

static int append(struct maildir_box *b, const struct maildir_dir *d, size_t first, struct err *e)
{
	struct buf text;
	buf_init(&text, BOX_UIDLIST_MAX);
	format_records(&text, b, first, false);
	int fd = sys_openat(d->dir, LIST, O_WRONLY | O_NOFOLLOW, 0);
	int rc = fd < 0 ? err_sys(e, errno, "open %s/%s", d->path, LIST) : 0;
	if (rc == 0 && text.overflow)
		rc = err_set(e, ERR_TEMP, "%s/%s: too large", d->path, LIST);
	if (rc == 0 && (sys_pwrite_all(fd, text.p, text.len, b->list.known) < 0 ||
	                       sys_fdatasync(fd) < 0)) {
		rc = err_sys(e, errno, "write %s/%s", d->path, LIST);
		if (sys_ftruncate(fd, b->list.known) < 0)
			b->list.rewrite = true;
	}
	if (rc == 0)
		b->list.known += (off_t)text.len;
	if (fd >= 0)
		sys_close(fd);
	buf_free(&text);
	return rc;
}

/*
 * The new list under its name, durable. A second link stands until the directory is synced: should that fail,
 * or this process be killed, everybody sees in st_nlink that the list must be written once more before its UIDs
 * are shown; another fsync of the directory would not prove that it is on disk.
 */
static int put_in_place(const struct maildir_dir *d, struct err *e)
{
	(void)sys_unlinkat(d->dir, LIST_DOUBT, 0);
	if (sys_linkat(d->dir, LIST_TMP, d->dir, LIST_DOUBT) < 0 && errno != EPERM && errno != EOPNOTSUPP)
		return err_sys(e, errno, "link %s/%s", d->path, LIST_DOUBT);
	if (sys_renameat(d->dir, LIST_TMP, d->dir, LIST) < 0) {
		err_sys(e, errno, "rename %s/%s", d->path, LIST_TMP);
		(void)sys_unlinkat(d->dir, LIST_DOUBT, 0);
		return -1;
	}
	if (maildir_sync(d->dir, d->path, "", e) < 0)
		return -1;
	(void)sys_unlinkat(d->dir, LIST_DOUBT, 0);
	return 0;
}

static int rewrite(struct maildir_box *b, const struct maildir_dir *d, struct err *e)
{
	struct buf text;
	buf_init(&text, BOX_UIDLIST_MAX);
	(void)uidlist_header_format(&text, &b->list.h);
	size_t head_len = text.len;
	format_records(&text, b, 0, true);
	int fd = sys_openat(d->dir, LIST_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? err_sys(e, errno, "create %s/%s", d->path, LIST_TMP) : 0;
	struct stat st;
	if (rc == 0 && text.overflow)
		rc = err_set(e, ERR_TEMP, "%s/%s: too large", d->path, LIST);
	if (rc == 0 && (sys_write_all(fd, text.p, text.len) < 0 || sys_fsync(fd) < 0 ||
	                       sys_fstat(fd, &st) < 0))
		rc = err_sys(e, errno, "write %s/%s", d->path, LIST_TMP);
	if (fd >= 0)
		sys_close(fd);
	if (rc == 0)
		rc = put_in_place(d, e);
	if (rc < 0)
		(void)sys_unlinkat(d->dir, LIST_TMP, 0);
	if (rc == 0) {
		memcpy(b->list.head, text.p, head_len);
		b->list.head_len = head_len;
		b->list.known = (off_t)text.len;
		b->list.dev = st.st_dev;
		b->list.ino = st.st_ino;
		b->list.loaded = true;
		b->list.rewrite = false;
		b->list.h.version = 3;
	} else {
		b->list.loaded = false; /* read it whole next time */
	}
	buf_free(&text);
	return rc;
}

int maildir_uidlist_write(
        struct maildir_box *b, const struct maildir_dir *d, size_t first, struct err *e)
{
	if (b->list.rewrite || !b->list.loaded)
		return rewrite(b, d, e);
	return append(b, d, first, e);
}
