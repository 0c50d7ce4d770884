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

#include "lib/base/buf.h"
#include "lib/base/num.h"
#include "lib/mail/mbox_text.h"
#include "lib/store/maildir_dir.h"
#include "lib/store/mbox_open.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define BLOCK       (64 * 1024)
#define JOURNAL_MAX 2048
#define FROM_MAX    1500 /* of a From_ line */

struct journal {
	uint64_t length, total;
	uint64_t key[2];
	struct sv from; /* the From_ line with its end */
};

static void journal_name(const struct mbox *m, char out[MBOX_NAME_MAX + 16])
{
	(void)snprintf(out, MBOX_NAME_MAX + 16, "%s.append", m->name);
}

/* --- the journal -------------------------------------------------------------------------------- */

/* "LENGTH TOTAL KEY KEY\nFrom ...\n". False: it was cut short, so that nothing was written yet. */
static bool journal_parse(struct sv text, struct journal *out)
{
	struct sv line, rest = text;
	if (!sv_take_line(&rest, &line))
		return false;
	uint64_t *fields[] = { &out->length, &out->total, &out->key[0], &out->key[1] };
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (num_u64(sv_take_word(&line), fields[i]) < 0)
			return false;
	ptrdiff_t end = sv_chr(rest, '\n');
	if (!sv_empty(line) || end < 0 || (size_t)end + 1 != rest.len)
		return false;
	out->from = rest;
	return true;
}

/* 1 there is one (TEXT, J), 0 there is none, or none that counts, -1. */
static int journal_read(const struct mbox *m, struct buf *text, struct journal *j, struct err *e)
{
	char name[MBOX_NAME_MAX + 16];
	journal_name(m, name);
	int fd = sys_openat(m->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s/%s", m->parent, name);
	struct stat st;
	char *room = buf_room(text, JOURNAL_MAX);
	ssize_t n = room ? sys_pread(fd, room, JOURNAL_MAX, 0) : -1;
	int rc = n < 0 || sys_fstat(fd, &st) < 0 ? err_sys(e, errno, "read %s/%s", m->parent, name) : 0;
	sys_close(fd);
	if (rc < 0)
		return -1;
	buf_added(text, (size_t)n);
	return S_ISREG(st.st_mode) && st.st_uid == getuid() && journal_parse(buf_sv(text), j);
}

static int journal_remove(const struct mbox *m, struct err *e)
{
	char name[MBOX_NAME_MAX + 16];
	journal_name(m, name);
	if (sys_unlinkat(m->dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, errno, "remove %s/%s", m->parent, name);
}

/* 1 written, 0 the directory does not allow it, -1. */
static int journal_write(const struct mbox *m, const struct journal *j, struct err *e)
{
	char name[MBOX_NAME_MAX + 16];
	struct buf text;
	journal_name(m, name);
	int fd = sys_openat(m->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "create %s/%s", m->parent, name);
	buf_init(&text, JOURNAL_MAX);
	int rc = buf_printf(&text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n%.*s", j->length, j->total,
	        j->key[0], j->key[1], SV_ARG(j->from));
	if (rc < 0)
		err_set(e, ERR_BUG, "From_ line is too long");
	else if ((rc = sys_write_all(fd, text.p, text.len)) < 0)
		err_sys(e, errno, "write %s/%s", m->parent, name);
	buf_free(&text);
	sys_close(fd);
	if (rc < 0)
		(void)sys_unlinkat(m->dir, name, 0);
	return rc < 0 ? -1 : 1;
}

/* --- what was left behind ----------------------------------------------------------------------- */

/* Does the file from J's length on begin with J's From_ line? 1, 0, -1. */
static int begins_as_told(const struct mbox *m, const struct journal *j, struct err *e)
{
	char there[FROM_MAX];
	uint64_t left = (uint64_t)m->length - j->length;
	size_t n = left < j->from.len ? (size_t)left : j->from.len;
	if (n > sizeof(there))
		return 0;
	if (sys_pread_all(m->fd, there, n, (off_t)j->length) < 0)
		return err_sys(e, errno, "read %s", m->path);
	return memcmp(there, j->from.p, n) == 0;
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

static int cut_off(struct mbox *m, const struct journal *j, struct err *e)
{
	if (sys_ftruncate(m->fd, (off_t)j->length) < 0)
		return err_sys(e, errno, "truncate %s", m->path);
	log_warn("%s: the delivery of a mail was cut short after %" PRIu64 " of %" PRIu64 " octets: they are removed",
	        m->path, (uint64_t)m->length - j->length, j->total);
	m->length = (off_t)j->length;
	return 0;
}

/* What is there is a part of the mail that J tells of: away with it, unless others have written. 0 or -1. */
static int remove_part(struct mbox *m, const struct journal *j, struct err *e)
{
	int rc = another_mail(m, j->length, e);
	if (rc == 1)
		log_warn("%s: a mail was cut short, and another program has written behind it", m->path);
	return rc == 0 ? cut_off(m, j, e) : rc < 0 ? -1 : 0;
}

int mbox_append_settle(struct mbox *m, struct err *e)
{
	struct journal j;
	struct buf text;
	buf_init(&text, JOURNAL_MAX + 1);
	int rc = journal_read(m, &text, &j, e);
	bool part = rc == 1 && j.length < (uint64_t)m->length && (uint64_t)m->length - j.length < j.total;
	if (part)
		rc = begins_as_told(m, &j, e);
	if (part && rc == 1)
		rc = remove_part(m, &j, e) < 0 || journal_remove(m, e) < 0 ? -1 : 0;
	buf_free(&text);
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
	struct journal j;
	struct buf text;
	bool done = false;
	buf_init(&text, JOURNAL_MAX + 1);
	int rc = journal_read(m, &text, &j, e);
	if (rc == 1 && j.length <= (uint64_t)m->length) {
		uint64_t there = (uint64_t)m->length - j.length;
		rc = begins_as_told(m, &j, e);
		if (rc == 1 && there >= j.total)
			done = j.key[0] == mail->key[0] && j.key[1] == mail->key[1];
		else if (rc == 1 && there > 0)
			rc = remove_part(m, &j, e);
	}
	buf_free(&text);
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

/* Goes through the mail as it will stand in the file: written to FD, or only counted (FD -1). */
static int put_mail(int fd, const struct mbox_mail *mail, const char *before, uint64_t *total, struct err *e)
{
	struct mbox_quote q = { .matched = 0 };
	char *p = mem_alloc(BLOCK);
	struct buf out;
	uint64_t done = 0;
	int rc = 0;
	*total = 0;
	buf_init(&out, 2 * BLOCK + mail->head.len + 1024);
	(void)buf_puts(&out, before);
	(void)buf_put_sv(&out, mail->head);
	do {
		uint64_t left = mail->size - done;
		size_t n = left < BLOCK ? (size_t)left : BLOCK;
		if (sys_pread_all(mail->fd, p, n, (off_t)(mail->offset + done)) < 0) {
			rc = err_sys(e, errno, "read of the queue file");
			break;
		}
		done += n;
		if (mbox_quote_put(&q, sv_n(p, n), &out) < 0 ||
		        (done == mail->size && mbox_quote_end(&q, &out) < 0))
			rc = err_set(e, ERR_BUG, "a block of a mail grew too much");
		else if (fd >= 0 && sys_write_all(fd, out.p, out.len) < 0)
			rc = err_sys(e, errno, "write");
		*total += out.len;
		buf_reset(&out);
	} while (rc == 0 && done < mail->size);
	buf_free(&out);
	free(p);
	return rc;
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

/* 1; 0 it would be too long; -1. */
static int append(struct mbox *m, const struct mbox_rules *rules, const struct mbox_mail *mail, struct err *e)
{
	const char *before;
	uint64_t total, written;
	ptrdiff_t line = sv_chr(mail->head, '\n');
	/* counted first: the journal and the limit want to know */
	if (gap(m, &before, e) < 0 || put_mail(-1, mail, before, &total, e) < 0)
		return -1;
	if (rules->size_limit > 0 && (uint64_t)m->length + total > (uint64_t)rules->size_limit)
		return err_sys(e, EFBIG, "%s", m->path) + 1;
	struct journal j = { .length = (uint64_t)m->length + strlen(before),
		.total = total - strlen(before),
		.key = { mail->key[0], mail->key[1] },
		.from = sv_upto(mail->head, line < 0 ? 0 : (size_t)line + 1) };
	int journaled = journal_write(m, &j, e);
	if (journaled < 0)
		return -1;
	int rc = put_mail(m->fd, mail, before, &written, e);
	if (rc < 0)
		err_prefix(e, "%s", m->path);
	else
		rc = sync_file(m, e);
	/* a part that stays is the next append's to remove: it needs the journal */
	bool clean = rc == 0 || restore(m, total);
	struct err unimportant = ERR_INIT;
	if (journaled == 1 && clean && journal_remove(m, &unimportant) < 0)
		log_warn("%s", unimportant.text);
	return rc < 0 ? -1 : 1;
}

enum mbox_result mbox_append(const char *path, const struct mbox_rules *rules, const struct mbox_mail *mail,
        struct err *e)
{
	struct mbox m;
	int rc = mbox_open(&m, path, rules, e);
	if (rc < 0)
		return e->cls == ERR_CONFIG ? MBOX_REFUSED : MBOX_TROUBLE;
	enum mbox_result result = MBOX_WRITTEN;
	rc = m.null ? 0 : recover(&m, mail, e);
	if (rc == 1) {
		rc = sync_file(&m, e) < 0 || journal_remove(&m, e) < 0 ? -1 : 1;
		result = MBOX_WRITTEN_BEFORE;
	} else if (rc == 0 && !m.null) {
		rc = append(&m, rules, mail, e);
		if (rc == 0)
			result = MBOX_FULL;
	}
	mbox_close(&m);
	return rc < 0 ? MBOX_TROUBLE : result;
}
