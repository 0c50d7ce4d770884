#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/store/spool.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"
#include "maillock/maillock.h"

#define FILE_MAX (MAILLOCK_NAME_MAX + 40)

int spool_check(const char *path, gid_t *gid, struct err *e)
{
	struct stat st;
	if (path[0] != '/')
		return err_set(e, ERR_CONFIG, "mail_spool_directory = %s is not an absolute path", path);
	if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
		return err_sys(e, errno, "mail_spool_directory = %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFIG, "mail_spool_directory = %s is not a directory", path);
	if (st.st_uid != 0)
		return err_set(e, ERR_CONFIG, "mail_spool_directory = %s belongs to uid %u: chown root %s", path,
			(unsigned)st.st_uid, path);
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return err_set(e, ERR_CONFIG, "mail_spool_directory = %s: everybody may remove the mailboxes of "
			"others: chmod o-w %s", path, path);
	*gid = st.st_gid;
	return 0;
}

int spool_owner(const struct spool *s, const char *name, uid_t uid, struct err *e)
{
	struct stat st;
	if (sys_fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s/%s", s->path, name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(e, ERR_PERM, "%s/%s is not a plain file with one name", s->path, name);
	return st.st_uid == uid ? 1 : 2;
}

int spool_lock(const struct spool *s, const char *lock_name, pid_t pid, struct dotlock *l, struct err *e)
{
	struct err why = ERR_INIT;
	if (dotlock_take_for(l, pid, s->dir, s->path, lock_name, s->stale_s, &why) == 0)
		return 1;
	l->name = NULL;
	if (why.sys_errno == ETIMEDOUT)
		return 0;
	*e = why;
	return -1;
}

static int sync_dir(const struct spool *s, struct err *e)
{
	return sys_fsync(s->dir) < 0 ? err_sys(e, errno, "fsync %s", s->path) : 0;
}

/* It is UID's before it has its name: nobody ever finds a mailbox of root there. */
int spool_make(const struct spool *s, const char *name, uid_t uid, struct err *e)
{
	char aside[FILE_MAX];
	(void)snprintf(aside, sizeof(aside), ".%s.%016" PRIx64, name, rand_u64());
	int fd = sys_openat(s->dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s/%s", s->path, aside);
	int rc = 0;
	if (fchown(fd, uid, s->gid) < 0)
		rc = err_sys(e, errno, "give %s/%s to uid %u", s->path, aside, (unsigned)uid);
	sys_close(fd);
	/* a link of another's file may not be made without more rights; a rename may */
	if (rc == 0 && renameat2(s->dir, aside, s->dir, name, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		rc = err_sys(e, errno, "create %s/%s", s->path, name);
	if (rc == 0)
		rc = sync_dir(s, e);
	(void)sys_unlinkat(s->dir, aside, 0); /* not there any more, if all went well */
	return rc < 0 ? -1 : 1;
}

static int remove_note(const struct spool *s, const char *file, struct err *e)
{
	struct stat st;
	if (sys_fstatat(s->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s/%s", s->path, file);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return err_set(e, ERR_PERM, "%s/%s is none of ours: remove it", s->path, file);
	return sys_unlinkat(s->dir, file, 0) == 0 || errno == ENOENT
		? 0 : err_sys(e, errno, "remove %s/%s", s->path, file);
}

static int write_note(const struct spool *s, const char *file, const uint64_t *n, struct err *e)
{
	const struct store_note note = { .length = n[0], .total = n[1], .key = { n[2], n[3] }, .from_len = n[4],
		.from_hash = n[5] };
	struct buf text;
	int fd = sys_openat(s->dir, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, errno, "create %s/%s", s->path, file);
	buf_init(&text, STORE_NOTE_MAX);
	int rc = store_note_format(&text, &note);
	/* whoever the mailbox belongs to reads it: no umask of ours keeps him from that */
	if (rc == 0 && (sys_fchmod(fd, 0644) < 0 || sys_write_all(fd, text.p, text.len) < 0))
		rc = err_sys(e, errno, "write %s/%s", s->path, file);
	buf_free(&text);
	sys_close(fd);
	if (rc < 0)
		(void)sys_unlinkat(s->dir, file, 0);
	return rc;
}

int spool_note(const struct spool *s, const char *name, const uint64_t *numbers, struct err *e)
{
	char file[FILE_MAX];
	(void)snprintf(file, sizeof(file), "%s.append", name);
	int rc = remove_note(s, file, e);
	if (rc == 0 && numbers)
		rc = write_note(s, file, numbers, e);
	return rc < 0 ? -1 : 1;
}
