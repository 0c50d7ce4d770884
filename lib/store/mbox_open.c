#include "lib/store/mbox_open.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "lib/sys/sys.h"

#define REOPEN_MAX 5 /* whoever replaces the file while we wait for its lock does so no more often */

static int refuse(struct err *e, const struct mbox *m, const char *why)
{
	return err_set(e, ERR_CONFIG, "%s %s", m->path, why);
}

static int split(struct mbox *m, struct err *e)
{
	const char *slash = strrchr(m->path, '/');
	size_t n = slash ? (size_t)(slash - m->path) : 0;
	if (m->path[0] != '/' || !slash[1] || n >= sizeof(m->parent) || strlen(slash + 1) > MBOX_NAME_MAX)
		return refuse(e, m, "is not a name for a mailbox file");
	(void)snprintf(m->parent, sizeof(m->parent), "%.*s", (int)(n ? n : 1), m->path);
	(void)snprintf(m->name, sizeof(m->name), "%s", slash + 1);
	(void)snprintf(m->lock_name, sizeof(m->lock_name), "%s.lock", m->name);
	m->dir = sys_open(m->parent, O_RDONLY | O_DIRECTORY, 0);
	return m->dir < 0 ? err_sys(e, errno, "open %s", m->parent) : 0;
}

/* A link that root made where nobody else can change it may be followed, as in Postfix. */
static bool link_of_root(const struct mbox *m)
{
	struct stat link, dir;
	return sys_fstatat(m->dir, m->name, &link, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(link.st_mode) &&
	       link.st_uid == 0 && sys_fstat(m->dir, &dir) == 0 && dir.st_uid == 0 && !(dir.st_mode & 022);
}

static int open_file(struct mbox *m, struct err *e)
{
	const int flags = O_RDWR | O_APPEND | O_NOCTTY | O_NONBLOCK;
	m->created = false;
	m->fd = sys_openat(m->dir, m->name, flags | O_NOFOLLOW, 0);
	if (m->fd < 0 && errno == ENOENT) {
		m->fd = sys_openat(m->dir, m->name, flags | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
		m->created = m->fd >= 0;
	}
	if (m->fd < 0 && errno == ELOOP) {
		if (!link_of_root(m))
			return refuse(e, m, "is a symbolic link");
		m->fd = sys_openat(m->dir, m->name, flags, 0);
	}
	if (m->fd >= 0)
		return 0;
	if (errno == EISDIR)
		return refuse(e, m, "is a directory: with a '/' at its end it would be a Maildir");
	if (errno == ENXIO)
		return refuse(e, m, "is not a regular file");
	return err_sys(e, errno, "open %s", m->path);
}

static int check_file(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	struct stat st;
	char why[100];
	if (sys_fstat(m->fd, &st) < 0)
		return err_sys(e, errno, "stat %s", m->path);
	m->null = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
	if (m->null)
		return 0;
	if (!S_ISREG(st.st_mode))
		return refuse(e, m, "is not a regular file");
	if (st.st_nlink != 1) {
		(void)snprintf(why, sizeof(why), "has %lu names (hard links)", (unsigned long)st.st_nlink);
		return refuse(e, m, why);
	}
	if (st.st_uid != rules->uid) {
		(void)snprintf(why, sizeof(why), "belongs to uid %u, not to uid %u", (unsigned)st.st_uid,
		        (unsigned)rules->uid);
		return refuse(e, m, why);
	}
	if (st.st_mode & 0111)
		return refuse(e, m, "may be executed");
	m->length = st.st_size;
	return 0;
}

static int try_lock(const struct mbox *m, unsigned how)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (how == MBOX_LOCK_FLOCK)
		return flock(m->fd, LOCK_EX | LOCK_NB);
	/* of this open file, not of the process: other threads may have the same file open */
	return fcntl(m->fd, F_OFD_SETLK, &all);
}

static int kernel_lock(const struct mbox *m, unsigned how, const struct mbox_rules *rules, struct err *e)
{
	for (unsigned i = 1; try_lock(m, how) < 0; i++) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_sys(e, errno, "lock %s", m->path);
		if (i >= rules->attempts)
			return err_sys(e, ETIMEDOUT, "lock %s: somebody else has it", m->path);
		struct timespec nap = { rules->pause_ms / 1000, rules->pause_ms % 1000 * 1000000L };
		(void)nanosleep(&nap, NULL);
	}
	return 0;
}

/* Where the directory is not ours to write in there can be no dotlock, and nobody expects one. */
static int dot_lock(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	struct err why = ERR_INIT;
	if (dotlock_take_after(&m->dot, m->dir, m->parent, m->lock_name,
	            (int64_t)rules->attempts * rules->pause_ms, rules->stale_s, &why) == 0) {
		m->dotted = true;
		return 0;
	}
	if (why.sys_errno == EACCES || why.sys_errno == EPERM || why.sys_errno == EROFS)
		return 0;
	*e = why;
	return -1;
}

/* The file that has the name now: 1 it is ours still, 0 it was replaced while we waited, -1. */
static int is_current(const struct mbox *m, struct err *e)
{
	struct stat ours, now;
	if (sys_fstat(m->fd, &ours) < 0)
		return err_sys(e, errno, "stat %s", m->path);
	if (sys_fstatat(m->dir, m->name, &now, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "stat %s", m->path);
	return ours.st_dev == now.st_dev && ours.st_ino == now.st_ino;
}

static int open_locked(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	if (open_file(m, e) < 0 || check_file(m, rules, e) < 0)
		return -1;
	if (m->null)
		return 1;
	for (unsigned how = MBOX_LOCK_FCNTL; how <= MBOX_LOCK_FLOCK; how <<= 1)
		if ((rules->locks & how) && kernel_lock(m, how, rules, e) < 0)
			return -1;
	int rc = is_current(m, e);
	/* what it is, and how long, counts from here on */
	return rc == 1 ? (check_file(m, rules, e) < 0 ? -1 : 1) : rc;
}

int mbox_open(struct mbox *m, const char *path, const struct mbox_rules *rules, struct err *e)
{
	*m = (struct mbox){ .path = path, .dir = -1, .fd = -1 };
	int rc = split(m, e) < 0 ? -1 : 0;
	if (rc == 0 && strcmp(path, "/dev/null") != 0 && (rules->locks & MBOX_LOCK_DOT))
		rc = dot_lock(m, rules, e);
	for (int i = 0; rc == 0 && i < REOPEN_MAX; i++) {
		sys_close(m->fd);
		rc = open_locked(m, rules, e);
	}
	if (rc == 0)
		rc = err_set(e, ERR_TEMP, "%s is replaced again and again", path);
	if (rc < 0)
		mbox_close(m);
	return rc < 0 ? -1 : 0;
}

void mbox_close(struct mbox *m)
{
	sys_close(m->fd);
	if (m->dotted)
		dotlock_drop(&m->dot);
	sys_close(m->dir);
	m->fd = m->dir = -1;
	m->dotted = false;
}
