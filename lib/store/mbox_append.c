/*
 * The file while a mail is appended, and after a kill (J is FILE.append, L the file's length before):
 *
 *     no J                 whole mails only
 *     J, length L          nothing written yet                          -> remove J
 *     J, length < L+mail   a part of the mail, to be cut off at L        -> truncate, remove J
 *     J, length >= L+mail  the mail is whole, others may follow it       -> remove J; the same mail: done
 *
 * Nothing is cut off that does not begin as J says, or that has the start of another mail in it: somebody who
 * does not know J has written there.
 */
#include "lib/store/mbox_append.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store/maildir_dir.h"
#include "lib/store/mbox_open.h"
#include "lib/store/mbox_put.h"
#include "lib/store/mbox_scan.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define BLOCK    (64 * 1024)
#define FROM_MAX 8192 /* of a From_ line */

static void journal_name(const struct mbox *m, char out[MBOX_NAME_MAX + 16])
{
	(void)snprintf(out, MBOX_NAME_MAX + 16, "%s.append", m->name);
}

/* --- the journal -------------------------------------------------------------------------------- */

/* 1 there is one (J), 0 there is none, or none that counts, -1. */
static int journal_read(const struct mbox *m, struct store_note *j, struct err *e)
{
	char name[MBOX_NAME_MAX + 16], text[STORE_NOTE_MAX];
	struct stat st;
	journal_name(m, name);
	int fd = sys_openat(m->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s/%s", m->parent, name);
	ssize_t n = sys_pread(fd, text, sizeof(text), 0);
	int rc = n < 0 || sys_fstat(fd, &st) < 0 ? err_sys(e, errno, "read %s/%s", m->parent, name) : 0;
	sys_close(fd);
	if (rc < 0)
		return -1;
	/* ours, or one that maillock made for us */
	return S_ISREG(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) &&
	       store_note_parse(sv_n(text, (size_t)n), j);
}

static int journal_remove(const struct mbox *m, struct err *e)
{
	char name[MBOX_NAME_MAX + 16];
	struct stat st;
	journal_name(m, name);
	if (m->spool && sys_fstatat(m->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	if (m->spool)
		return m->spool->note(m->spool->ctx, m->name, NULL, e) < 0 ? -1 : 0;
	if (sys_unlinkat(m->dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, errno, "remove %s/%s", m->parent, name);
}

/* 1 written, 0 the directory does not allow it, -1. */
static int journal_write(const struct mbox *m, const struct store_note *j, struct err *e)
{
	char name[MBOX_NAME_MAX + 16];
	struct buf text;
	const uint64_t numbers[STORE_NOTE_NUMBERS] = { j->length, j->total, j->key[0], j->key[1], j->from_len,
		j->from_hash };
	if (m->spool)
		return m->spool->note(m->spool->ctx, m->name, numbers, e);
	journal_name(m, name);
	int fd = sys_openat(m->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "create %s/%s", m->parent, name);
	buf_init(&text, STORE_NOTE_MAX);
	int rc = store_note_format(&text, j);
	if (rc == 0 && (rc = sys_write_all(fd, text.p, text.len)) < 0)
		err_sys(e, errno, "write %s/%s", m->parent, name);
	buf_free(&text);
	sys_close(fd);
	if (rc < 0)
		(void)sys_unlinkat(m->dir, name, 0);
	return rc < 0 ? -1 : 1;
}

/* --- what was left behind ----------------------------------------------------------------------- */

/* Does the file from J's length on begin with J's From_ line? 1, 0, -1. */
static int begins_as_told(const struct mbox *m, const struct store_note *j, struct err *e)
{
	char there[FROM_MAX];
	uint64_t left = (uint64_t)m->length - j->length;
	size_t n = left < j->from_len ? (size_t)left : (size_t)j->from_len;
	if (j->from_len > sizeof(there))
		return 0;
	if (sys_pread_all(m->fd, there, n, (off_t)j->length) < 0)
		return err_sys(e, errno, "read %s", m->path);
	if (n == j->from_len)
		return store_note_hash(sv_n(there, n)) == j->from_hash;
	/* a part of the line: all that can be said is that it is one's start */
	struct sv part = sv_n(there, n);
	return sv_chr(part, '\n') < 0 && sv_starts(n < 5 ? SV("From ") : part, n < 5 ? part : SV("From "));
}

/* Is there a From_ line behind the first octet from START on? 1, 0, -1. */
static int another_mail(const struct mbox *m, uint64_t start, struct err *e)
{
	static const char mark[] = "\nFrom ";
	const size_t overlap = sizeof(mark) - 2;
	char *p = mem_alloc(BLOCK);
	int rc = 0;
	for (uint64_t at = start; rc == 0 && at < (uint64_t)m->length;) {
		uint64_t left = (uint64_t)m->length - at;
		size_t n = left < BLOCK ? (size_t)left : BLOCK;
		if (sys_pread_all(m->fd, p, n, (off_t)at) < 0)
			rc = err_sys(e, errno, "read %s", m->path);
		else if (sv_find(sv_n(p, n), sv_n(mark, sizeof(mark) - 1)) >= 0)
			rc = 1;
		at += n > overlap && n < left ? n - overlap : n;
	}
	free(p);
	return rc;
}

static int cut_off(struct mbox *m, const struct store_note *j, struct err *e)
{
	if (sys_ftruncate(m->fd, (off_t)j->length) < 0)
		return err_sys(e, errno, "truncate %s", m->path);
	log_warn("%s: the delivery of a mail was cut short after %" PRIu64 " of %" PRIu64 " octets: they are removed",
	        m->path, (uint64_t)m->length - j->length, j->total);
	m->length = (off_t)j->length;
	return 0;
}

/* What is there is a part of the mail that J tells of: away with it, unless others have written. 0 or -1. */
static int remove_part(struct mbox *m, const struct store_note *j, struct err *e)
{
	int rc = another_mail(m, j->length, e);
	if (rc == 1)
		log_warn("%s: a mail was cut short, and another program has written behind it", m->path);
	return rc == 0 ? cut_off(m, j, e) : rc < 0 ? -1 : 0;
}

int mbox_append_settle(struct mbox *m, struct err *e)
{
	struct store_note j;
	int rc = journal_read(m, &j, e);
	bool part = rc == 1 && j.length < (uint64_t)m->length && (uint64_t)m->length - j.length < j.total;
	if (part)
		rc = begins_as_told(m, &j, e);
	if (part && rc == 1)
		rc = remove_part(m, &j, e) < 0 || journal_remove(m, e) < 0 ? -1 : 0;
	return rc < 0 ? -1 : 0;
}

int mbox_append_left(int dir, const char *name)
{
	char journal[MBOX_NAME_MAX + 16];
	struct stat st;
	(void)snprintf(journal, sizeof(journal), "%.*s.append", MBOX_NAME_MAX, name);
	return sys_fstatat(dir, journal, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* 0 go on; 1 MAIL is there already; -1. */
static int recover(struct mbox *m, const struct mbox_mail *mail, struct err *e)
{
	struct store_note j;
	bool done = false;
	int rc = journal_read(m, &j, e);
	if (rc == 1 && j.length <= (uint64_t)m->length) {
		uint64_t there = (uint64_t)m->length - j.length;
		rc = begins_as_told(m, &j, e);
		if (rc == 1 && there >= j.total)
			done = j.key[0] == mail->key[0] && j.key[1] == mail->key[1];
		else if (rc == 1 && there > 0)
			rc = remove_part(m, &j, e);
	}
	if (rc < 0 || (!done && journal_remove(m, e) < 0))
		return -1;
	return done;
}

/* --- appending ---------------------------------------------------------------------------------- */

/* Line ends that the last mail lacks, so that ours begins a line and an empty one stands before it. */
static int gap(const struct mbox *m, const char **out, struct err *e)
{
	char last[2] = { '\n', '\n' };
	size_t n = m->length < 2 ? (size_t)m->length : 2;
	*out = "";
	if (n == 0)
		return 0;
	if (sys_pread_all(m->fd, last + 2 - n, n, m->length - (off_t)n) < 0)
		return err_sys(e, errno, "read %s", m->path);
	*out = last[1] != '\n' ? "\n\n" : last[0] != '\n' ? "\n" : "";
	return 0;
}

/* The file gets its old length back, unless somebody has written behind us. False: it could not. */
static bool restore(const struct mbox *m, uint64_t total)
{
	struct stat st;
	bool known = sys_fstat(m->fd, &st) == 0;
	if (known && st.st_size <= m->length)
		return true;
	if (known && st.st_size <= m->length + (off_t)total && sys_ftruncate(m->fd, m->length) == 0)
		return true;
	log_error("%s: a mail was written in part and cannot be removed now: %s", m->path, strerror(errno));
	return false;
}

static int sync_file(const struct mbox *m, struct err *e)
{
	if (sys_fdatasync(m->fd) < 0)
		return err_sys(e, errno, "fdatasync %s", m->path);
	return m->created ? maildir_sync(m->dir, m->parent, "", e) : 0;
}

/* 1, or -1 with E: PERM, EFBIG when it would be too long. */
static int append(struct mbox *m, const struct mbox_rules *rules, const struct mbox_mail *mail, struct err *e)
{
	const char *before;
	uint64_t total, written;
	ptrdiff_t line = sv_chr(mail->head, '\n');
	struct sv from = sv_upto(mail->head, line < 0 ? 0 : (size_t)line + 1);
	/* counted first: the journal and the limit want to know */
	if (gap(m, &before, e) < 0 || mbox_put(-1, mail, sv_z(before), &total, m->path, e) < 0)
		return -1;
	if (rules->size_limit > 0 && (uint64_t)m->length + total > (uint64_t)rules->size_limit) {
		err_sys(e, EFBIG, "%s", m->path);
		e->cls = ERR_PERM;
		return -1;
	}
	const struct store_note j = { .length = (uint64_t)m->length + strlen(before),
		.total = total - strlen(before),
		.key = { mail->key[0], mail->key[1] },
		.from_len = from.len,
		.from_hash = store_note_hash(from) };
	int journaled = journal_write(m, &j, e);
	if (journaled < 0)
		return -1;
	int rc = mbox_put(m->fd, mail, sv_z(before), &written, m->path, e);
	if (rc == 0)
		rc = sync_file(m, e);
	/* a part that stays is the next append's to remove: it needs the journal */
	bool clean = rc == 0 || restore(m, total);
	struct err unimportant = ERR_INIT;
	if (journaled == 1 && clean && journal_remove(m, &unimportant) < 0)
		log_warn("%s", unimportant.text);
	return rc < 0 ? -1 : 1;
}

/* --- into a mailbox ----------------------------------------------------------------------------- */

struct search {
	const char *key;
	bool found;
};

static int compare_key(void *ctx, enum mbox_field f, struct sv value, uint64_t at)
{
	struct search *s = ctx;
	(void)at;
	s->found |= f == MBOX_F_KEY && sv_eqz(sv_trim(value), s->key);
	return s->found ? -1 : 0;
}

/* Is a mail with KEY in the file? 1, 0, -1. */
static int has_key(const struct mbox *m, const char *key, struct err *e)
{
	struct search k = { .key = key };
	const struct mbox_sink sink = { .field = compare_key, .ctx = &k };
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	char *block = mem_alloc(BLOCK);
	off_t at = 0;
	ssize_t n;
	int rc = 0;
	mbox_scan_init(s, &sink, 0);
	while (rc == 0 && (n = sys_pread(m->fd, block, BLOCK, at)) != 0) {
		rc = n < 0 ? err_sys(e, errno, "read %s", m->path) : mbox_scan_put(s, sv_n(block, (size_t)n));
		at += n;
	}
	if (rc == 0)
		rc = mbox_scan_end(s);
	if (s->wrong)
		rc = err_set(e, ERR_TEMP, "%s is not an mbox file", m->path);
	free(block);
	free(s);
	return k.found ? 1 : rc;
}

/* The start of a file that mail may be appended to: of an mbox, or nothing. 0 or -1. */
static int check_start(const struct mbox *m, struct err *e)
{
	char start[6];
	ssize_t n = sys_pread(m->fd, start, sizeof(start), 0);
	if (n < 0)
		return err_sys(e, errno, "read %s", m->path);
	struct sv s = sv_trim_left(sv_n(start, (size_t)n));
	return sv_starts(SV("From "), sv_upto(s, 5)) ? 0 : err_set(e, ERR_TEMP, "%s is not an mbox file", m->path);
}

/* What a mailbox needs before its end is looked at. 0 or -1. */
static int settle(struct mbox *m, const struct mbox_mail *mail, struct err *e)
{
	struct stat st;
	if (mail->settle && mail->settle(mail->ctx, m->fd, e) < 0)
		return -1;
	if (sys_fstat(m->fd, &st) < 0)
		return err_sys(e, errno, "stat %s", m->path);
	m->length = st.st_size;
	return check_start(m, e);
}

/* 0 go on; 1 MAIL is there already; -1. */
static int look_before(struct mbox *m, const struct mbox_mail *mail, struct err *e)
{
	if (!sv_empty(mail->fields) && settle(m, mail, e) < 0)
		return -1;
	int rc = recover(m, mail, e);
	return rc == 0 && mail->find_key ? has_key(m, mail->find_key, e) : rc;
}

enum mbox_result mbox_append_below(const char *root, const char *rel, const struct mbox_rules *rules,
        const struct mbox_mail *mail, struct err *e)
{
	struct mbox *m = mem_alloc(sizeof(*m));
	enum mbox_result result = MBOX_WRITTEN;
	int rc = mbox_open(m, root, rel, rules, e);
	if (rc != 1) {
		free(m);
		return rc == 0 ? MBOX_NONE : e->cls == ERR_CONFIG ? MBOX_REFUSED : MBOX_TROUBLE;
	}
	rc = m->null ? 0 : look_before(m, mail, e);
	if (rc == 1) {
		rc = sync_file(m, e) < 0 || journal_remove(m, e) < 0 ? -1 : 1;
		result = MBOX_WRITTEN_BEFORE;
	} else if (rc == 0 && !m->null) {
		rc = append(m, rules, mail, e);
	}
	if (rc < 0)
		result = e->cls == ERR_PERM && e->sys_errno == EFBIG ? MBOX_FULL : MBOX_TROUBLE;
	mbox_close(m);
	free(m);
	return result;
}

enum mbox_result mbox_append(const char *path, const struct mbox_rules *rules, const struct mbox_mail *mail,
        struct err *e)
{
	const char *slash = strrchr(path, '/');
	if (!slash || path[0] != '/') {
		err_set(e, ERR_CONFIG, "%s is not a name for a mailbox file", path);
		return MBOX_REFUSED;
	}
	char *root = mem_svdup(sv_upto(sv_z(path), slash > path ? (size_t)(slash - path) : 1));
	enum mbox_result result = mbox_append_below(root, slash + 1, rules, mail, e);
	free(root);
	return result;
}
