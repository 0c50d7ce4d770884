#include "lib/store/mbox_journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/num.h"
#include "lib/store/maildir_dir.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define MAGIC     "mbxjrnl1"
#define HEAD      56 /* magic, dev, ino, from, old length, new length, checksums of data and head */
#define BLOCK     (64 * 1024)
#define FROM_MARK "From "

/* --- writing -------------------------------------------------- */

static int failed(const struct mbox_journal *j, const char *what, struct err *e)
{
	return err_sys(e, errno, "%s %s/%s", what, j->path, j->name);
}

static void temporary(const struct mbox_journal *j, char out[MBOX_JOURNAL_NAME_MAX + 8])
{
	(void)snprintf(out, MBOX_JOURNAL_NAME_MAX + 8, "%s.tmp", j->name);
}

static int flush(struct mbox_journal *j, struct err *e)
{
	if (sys_write_all(j->fd, j->out.p, j->out.len) < 0)
		return failed(j, "write", e);
	buf_reset(&j->out);
	return 0;
}

static int put(struct mbox_journal *j, struct sv octets, struct err *e)
{
	j->crc = num_crc32c(j->crc, octets.p, octets.len);
	while (!sv_empty(octets)) {
		struct sv part = sv_upto(octets, BLOCK);
		(void)buf_put_sv(&j->out, part);
		octets = sv_from(octets, part.len);
		if (j->out.len >= BLOCK && flush(j, e) < 0)
			return -1;
	}
	return 0;
}

static int copy_old(struct mbox_journal *j, struct err *e)
{
	char block[BLOCK];
	for (uint64_t at = 0; at < j->old_len;) {
		size_t n = j->old_len - at < BLOCK ? (size_t)(j->old_len - at) : BLOCK;
		if (sys_pread_all(j->mbox, block, n, (off_t)(j->from + at)) < 0)
			return err_sys(e, errno, "read the mailbox of %s/%s", j->path, j->name);
		if (put(j, sv_n(block, n), e) < 0)
			return -1;
		at += n;
	}
	size_t before = j->from < 2 ? (size_t)j->from : 2;
	if (before > 0 && sys_pread_all(j->mbox, j->last + 2 - before, before, (off_t)(j->from - before)) < 0)
		return err_sys(e, errno, "read the mailbox of %s/%s", j->path, j->name);
	return 0;
}

static int create(struct mbox_journal *j, struct err *e)
{
	char tmp[MBOX_JOURNAL_NAME_MAX + 8];
	temporary(j, tmp);
	j->fd = sys_openat(j->dir, tmp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return failed(j, "create", e);
	static const char room[HEAD];
	return sys_write_all(j->fd, room, HEAD) < 0 ? failed(j, "write", e) : 0;
}

int mbox_journal_begin(struct mbox_journal *j, int dir, const char *path, const char *name, int mbox,
	uint64_t from, struct err *e)
{
	struct stat st;
	*j = (struct mbox_journal){ .dir = dir, .path = path, .fd = -1, .mbox = mbox, .from = from };
	(void)snprintf(j->name, sizeof(j->name), "%s", name);
	buf_init(&j->out, (size_t)3 * BLOCK);
	if (sys_fstat(mbox, &st) < 0)
		return failed(j, "stat the mailbox of", e);
	j->dev = st.st_dev;
	j->ino = st.st_ino;
	j->old_len = (uint64_t)st.st_size > from ? (uint64_t)st.st_size - from : 0;
	if (create(j, e) == 0 && copy_old(j, e) == 0)
		return 0;
	mbox_journal_end(j);
	return -1;
}

int mbox_journal_put(struct mbox_journal *j, struct sv octets, struct err *e)
{
	if (sv_empty(octets))
		return 0;
	if (octets.len > 1)
		memcpy(j->last, octets.p + octets.len - 2, 2);
	else {
		j->last[0] = j->last[1];
		j->last[1] = octets.p[0];
	}
	j->new_len += octets.len;
	return put(j, octets, e);
}

int mbox_journal_seal(struct mbox_journal *j, struct err *e)
{
	char head[HEAD], tmp[MBOX_JOURNAL_NAME_MAX + 8];
	const uint64_t numbers[] = { j->dev, j->ino, j->from, j->old_len, j->new_len };
	memcpy(head, MAGIC, 8);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		num_put_le64(head + 8 + 8 * i, numbers[i]);
	num_put_le32(head + 48, j->crc);
	num_put_le32(head + 52, num_crc32c(0, head, 52));
	temporary(j, tmp);
	if (flush(j, e) < 0)
		return -1;
	if (sys_pwrite_all(j->fd, head, HEAD, 0) < 0 || sys_fsync(j->fd) < 0 ||
		sys_renameat(j->dir, tmp, j->dir, j->name) < 0)
		return failed(j, "write", e);
	if (maildir_sync(j->dir, j->path, "", e) == 0)
		return 0;
	(void)sys_unlinkat(j->dir, j->name, 0); /* the change has not begun */
	return -1;
}

void mbox_journal_end(struct mbox_journal *j)
{
	char tmp[MBOX_JOURNAL_NAME_MAX + 8];
	temporary(j, tmp);
	if (j->fd >= 0) {
		sys_close(j->fd);
		(void)sys_unlinkat(j->dir, tmp, 0);
	}
	j->fd = -1;
	buf_free(&j->out);
}

/* --- applying -------------------------------------------------- */

static int wrong_mbox(const struct mbox_journal *j, const char *what, struct err *e)
{
	return err_sys(e, errno, "%s the mailbox of %s/%s", what, j->path, j->name);
}

/* New octets FROM..TO (relative) into the mailbox. */
static int copy_new(struct mbox_journal *j, uint64_t from, uint64_t to, struct err *e)
{
	char block[BLOCK];
	while (from < to) {
		size_t n = to - from < BLOCK ? (size_t)(to - from) : BLOCK;
		if (sys_pread_all(j->fd, block, n, (off_t)(HEAD + j->old_len + from)) < 0)
			return failed(j, "read", e);
		if (sys_pwrite_all(j->mbox, block, n, (off_t)(j->from + from)) < 0)
			return wrong_mbox(j, "write", e);
		from += n;
	}
	return 0;
}

/* 0, or -1: it is still there. That its name is gone need not be durable: found again, it changes nothing. */
static int discard(const struct mbox_journal *j)
{
	struct err e = ERR_INIT;
	int rc = -1;
	for (int tries = 3; tries > 0 && rc < 0; tries--)
		rc = sys_unlinkat(j->dir, j->name, 0) < 0 && errno != ENOENT ? -1 : 0;
	if (rc < 0)
		(void)failed(j, "remove", &e);
	else if (maildir_sync(j->dir, j->path, "", &e) == 0)
		return 0;
	log_warn("%s", e.text);
	return rc;
}

void mbox_journal_cancel(const struct mbox_journal *j)
{
	if (discard(j) < 0)
		log_warn("%s/%s: a change that failed may be made later", j->path, j->name);
}

/* Nothing but the file's length has changed of what was there: back to it. */
static void undo(const struct mbox_journal *j)
{
	if (sys_ftruncate(j->mbox, (off_t)(j->from + j->old_len)) == 0 && sys_fsync(j->mbox) == 0)
		mbox_journal_cancel(j);
	else
		log_warn("%s/%s: a change that failed may be made later", j->path, j->name);
}

/* First the file gets its greater length, and what lies beyond the old one: a full disk is told of before any old
 * octet has changed. */
static int grow(struct mbox_journal *j, struct err *e)
{
	if (sys_ftruncate(j->mbox, (off_t)(j->from + j->new_len)) < 0)
		return wrong_mbox(j, "extend", e);
	if (copy_new(j, j->old_len, j->new_len, e) < 0)
		return -1;
	return sys_fsync(j->mbox) < 0 ? wrong_mbox(j, "fsync", e) : 0;
}

int mbox_journal_apply(struct mbox_journal *j, struct err *e)
{
	uint64_t both = j->old_len < j->new_len ? j->old_len : j->new_len;
	if (j->new_len > j->old_len && grow(j, e) < 0) {
		undo(j);
		return -1;
	}
	int rc = copy_new(j, 0, both, e);
	if (rc == 0 && j->new_len < j->old_len && sys_ftruncate(j->mbox, (off_t)(j->from + j->new_len)) < 0)
		rc = wrong_mbox(j, "shorten", e);
	if (rc == 0 && j->old_len > 0 && sys_fsync(j->mbox) < 0)
		rc = wrong_mbox(j, "fsync", e);
	if (rc == 0)
		(void)discard(j);
	return rc;
}

/* --- after a crash -------------------------------------------------- */

int mbox_journal_exists(int dir, const char *path, const char *name, struct err *e)
{
	struct stat st;
	if (sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, errno, "stat %s/%s", path, name);
}

/* The journal as it lies there, its checksums right. 1, 0 it is of no use, -1. */
static int load(struct mbox_journal *j, struct err *e)
{
	char head[HEAD], block[BLOCK];
	uint64_t *const numbers[] = { &j->dev, &j->ino, &j->from, &j->old_len, &j->new_len };
	struct stat st;
	if (sys_fstat(j->fd, &st) < 0)
		return failed(j, "stat", e);
	if (!S_ISREG(st.st_mode) || st.st_size < HEAD)
		return 0;
	if (sys_pread_all(j->fd, head, HEAD, 0) < 0)
		return failed(j, "read", e);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = num_get_le64(head + 8 + 8 * i);
	uint64_t data = (uint64_t)st.st_size - HEAD;
	if (memcmp(head, MAGIC, 8) != 0 || num_get_le32(head + 52) != num_crc32c(0, head, 52) || j->old_len > data ||
		j->new_len != data - j->old_len || j->from > INT64_MAX / 4)
		return 0;
	for (uint64_t at = 0; at < data;) {
		size_t n = data - at < BLOCK ? (size_t)(data - at) : BLOCK;
		if (sys_pread_all(j->fd, block, n, (off_t)(HEAD + at)) < 0)
			return failed(j, "read", e);
		j->crc = num_crc32c(j->crc, block, n);
		at += n;
	}
	return j->crc == num_get_le32(head + 48);
}

enum { MAY_OLD = 1, MAY_NEW = 2, MAY_ZERO = 4 };

/* Is each octet FROM..TO of the mailbox (relative) one of those that may stand there? 1, 0, -1. */
static int compare(const struct mbox_journal *j, uint64_t from, uint64_t to, unsigned may, struct err *e)
{
	char old[BLOCK], new[BLOCK], now[BLOCK];
	while (from < to) {
		size_t n = to - from < BLOCK ? (size_t)(to - from) : BLOCK;
		if ((may & MAY_OLD) && sys_pread_all(j->fd, old, n, (off_t)(HEAD + from)) < 0)
			return failed(j, "read", e);
		if ((may & MAY_NEW) && sys_pread_all(j->fd, new, n, (off_t)(HEAD + j->old_len + from)) < 0)
			return failed(j, "read", e);
		if (sys_pread_all(j->mbox, now, n, (off_t)(j->from + from)) < 0)
			return wrong_mbox(j, "read", e);
		for (size_t i = 0; i < n; i++)
			if (!((may & MAY_OLD) && now[i] == old[i]) && !((may & MAY_NEW) && now[i] == new[i]) &&
				!((may & MAY_ZERO) && now[i] == '\0'))
				return 0;
		from += n;
	}
	return 1;
}

/* What others appended begins at END (relative) when the file was that long: a From_ line, or nothing. 1, 0, -1. */
static int begins_at(const struct mbox_journal *j, uint64_t end, uint64_t now, struct err *e)
{
	char mark[sizeof(FROM_MARK) - 1];
	if (end == now)
		return 1;
	if (end > now || now - end < sizeof(mark))
		return 0;
	if (sys_pread_all(j->mbox, mark, sizeof(mark), (off_t)(j->from + end)) < 0)
		return wrong_mbox(j, "read", e);
	return memcmp(mark, FROM_MARK, sizeof(mark)) == 0 || (mark[0] == '\n' && memcmp(mark + 1, FROM_MARK, 4) == 0);
}

/*
 * How long was the file (relative) when the crash came? The greater of the two lengths when what lies between them
 * fits, else the smaller. 1 with *END, 0 other software has written, -1.
 */
static int state_at_crash(const struct mbox_journal *j, uint64_t now, uint64_t *end, struct err *e)
{
	bool grows = j->new_len > j->old_len;
	uint64_t less = grows ? j->old_len : j->new_len, more = grows ? j->new_len : j->old_len;
	if (now < less)
		return 0;
	int rc = compare(j, 0, less, MAY_OLD | MAY_NEW, e);
	if (rc != 1)
		return rc;
	*end = more;
	rc = now < more ? 0 : compare(j, less, more, grows ? MAY_NEW | MAY_ZERO : MAY_OLD, e);
	if (rc == 1)
		rc = begins_at(j, more, now, e);
	if (rc != 0)
		return rc;
	*end = less;
	return begins_at(j, less, now, e);
}

/* The same change with what others appended behind it. */
static int with_appended(struct mbox_journal *j, uint64_t end, uint64_t now, struct err *e)
{
	struct mbox_journal k;
	char block[BLOCK];
	int rc = mbox_journal_begin(&k, j->dir, j->path, j->name, j->mbox, j->from, e);
	if (rc < 0)
		return -1;
	for (uint64_t at = 0; at < j->new_len && rc == 0;) {
		size_t n = j->new_len - at < BLOCK ? (size_t)(j->new_len - at) : BLOCK;
		if (sys_pread_all(j->fd, block, n, (off_t)(HEAD + j->old_len + at)) < 0)
			rc = failed(j, "read", e);
		else
			rc = mbox_journal_put(&k, sv_n(block, n), e);
		at += n;
	}
	while (end < now && rc == 0) {
		size_t n = now - end < BLOCK ? (size_t)(now - end) : BLOCK;
		if (sys_pread_all(j->mbox, block, n, (off_t)(j->from + end)) < 0)
			rc = wrong_mbox(j, "read", e);
		else
			rc = mbox_journal_put(&k, sv_n(block, n), e);
		end += n;
	}
	if (rc == 0)
		rc = mbox_journal_seal(&k, e);
	if (rc == 0)
		rc = mbox_journal_apply(&k, e);
	mbox_journal_end(&k);
	return rc;
}

static int set_aside(struct mbox_journal *j, const char *why, struct err *e)
{
	char aside[MBOX_JOURNAL_NAME_MAX + 8];
	(void)snprintf(aside, sizeof(aside), "%s.old", j->name);
	log_warn("%s/%s: %s: the change is not finished, its journal is kept as %s", j->path, j->name, why, aside);
	if (sys_renameat(j->dir, j->name, j->dir, aside) < 0)
		return failed(j, "rename", e);
	return maildir_sync(j->dir, j->path, "", e);
}

static int recover(struct mbox_journal *j, struct err *e)
{
	struct stat st;
	int rc = load(j, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return set_aside(j, "a damaged journal", e);
	if (sys_fstat(j->mbox, &st) < 0)
		return wrong_mbox(j, "stat", e);
	if (st.st_dev != j->dev || st.st_ino != j->ino || (uint64_t)st.st_size < j->from)
		return set_aside(j, "the mailbox is another file now", e);
	uint64_t now = (uint64_t)st.st_size - j->from, end = now;
	rc = state_at_crash(j, now, &end, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return set_aside(j, "other software has written the mailbox", e);
	log_info("%s/%s: finishing a change that was interrupted", j->path, j->name);
	return end == now ? mbox_journal_apply(j, e) : with_appended(j, end, now, e);
}

int mbox_journal_recover(int dir, const char *path, const char *name, int mbox, struct err *e)
{
	struct mbox_journal j = { .dir = dir, .path = path, .mbox = mbox };
	(void)snprintf(j.name, sizeof(j.name), "%s", name);
	j.fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (j.fd < 0)
		return errno == ENOENT ? 0 : failed(&j, "open", e);
	int rc = recover(&j, e);
	sys_close(j.fd);
	return rc;
}
