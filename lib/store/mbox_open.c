#include "lib/store/mbox_open.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "lib/store/mbox_file.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define NAP_MIN_MS 4

static int refuse(struct err *e, const struct mbox *m, const char *why)
{
	return err_set(e, ERR_CONFIG, "%s %s", m->path, why);
}

static int split(struct mbox *m, const char *root, const char *rel, struct err *e)
{
	const char *slash = strrchr(rel, '/');
	const char *name = slash ? slash + 1 : rel;
	int n = snprintf(m->path, sizeof(m->path), "%s/%s", strcmp(root, "/") == 0 ? "" : root, rel);
	if (root[0] != '/' || !*name || strlen(name) > MBOX_NAME_MAX || n - (int)strlen(name) > (int)sizeof(m->parent))
		return refuse(e, m, "is not a name for a mailbox file");
	n -= (int)strlen(name) + 1;
	(void)snprintf(m->parent, sizeof(m->parent), "%.*s", n ? n : 1, m->path);
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	(void)snprintf(m->lock_name, sizeof(m->lock_name), "%s.lock", m->name);
	int rc = mbox_dir_open(root, rel, &m->dir, e);
	return rc == 0 ? err_sys(e, ENOENT, "open %s", m->parent) : rc;
}

/* A link that root made where nobody else can change it may be followed, as in Postfix. */
static bool link_of_root(const struct mbox *m)
{
	struct stat link, dir;
	return sys_fstatat(m->dir, m->name, &link, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(link.st_mode) &&
	       link.st_uid == 0 && sys_fstat(m->dir, &dir) == 0 && dir.st_uid == 0 && !(dir.st_mode & 022);
}

#define OPEN_FLAGS (O_RDWR | O_APPEND | O_NOCTTY | O_NONBLOCK)

/* There is no such file: make it, or have it made. 1, 0 that is not to be, -1 (errno when E is not set). */
static int make_file(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	if (rules->must_exist)
		return 0;
	if (m->spool) {
		if (m->spool->make(m->spool->ctx, m->name, e) < 0)
			return -1;
		m->fd = sys_openat(m->dir, m->name, OPEN_FLAGS | O_NOFOLLOW, 0);
	} else {
		m->fd = sys_openat(m->dir, m->name, OPEN_FLAGS | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
		m->created = m->fd >= 0;
	}
	return m->fd < 0 ? -1 : 1;
}

static int open_file(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	int rc = 1;
	m->created = false;
	m->fd = sys_openat(m->dir, m->name, OPEN_FLAGS | O_NOFOLLOW, 0);
	if (m->fd < 0 && errno == ENOENT) {
		struct err why = ERR_INIT;
		rc = make_file(m, rules, &why);
		if (rc < 0 && why.cls != ERR_NONE) {
			*e = why;
			return -1;
		}
	}
	if (m->fd < 0 && rc != 0 && errno == ELOOP) {
		if (!link_of_root(m))
			return refuse(e, m, "is a symbolic link");
		m->fd = sys_openat(m->dir, m->name, OPEN_FLAGS, 0);
	}
	if (m->fd >= 0 || rc == 0)
		return rc == 0 ? 0 : 1;
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
	if (rules->uid != (uid_t)-1 && st.st_uid != rules->uid) {
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

/* The locks that the kernel knows. 1, 0 somebody has one (BUSY names it), -1. */
static int kernel_locks(const struct mbox *m, unsigned locks, const char **busy, struct err *e)
{
	for (unsigned how = MBOX_LOCK_FCNTL; how <= MBOX_LOCK_FLOCK; how <<= 1) {
		if (!(locks & how) || try_lock(m, how) == 0)
			continue;
		*busy = how == MBOX_LOCK_FCNTL ? "fcntl" : "flock";
		return errno == EAGAIN || errno == EACCES || errno == EINTR ? 0 : err_sys(e, errno, "lock %s", m->path);
	}
	return 1;
}

static int dot_lock(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	const struct mbox_dot_def def = { .dir = m->dir, .path = m->parent, .name = m->name,
		.lock_name = m->lock_name, .stale_s = rules->stale_s, .spool = m->spool };
	return mbox_dot_try(&m->dot, &def, e);
}

/* The file and all its locks, or nothing. 1, 0 there is no such file, 2 somebody has a lock (*BUSY), -1. */
static int attempt(struct mbox *m, const struct mbox_rules *rules, const char **busy, struct err *e)
{
	int rc = open_file(m, rules, e);
	if (rc != 1)
		return rc;
	if (check_file(m, rules, e) < 0)
		return -1;
	if (m->null)
		return 1;
	rc = kernel_locks(m, rules->locks, busy, e);
	if (rc == 1 && (rules->locks & MBOX_LOCK_DOT)) {
		*busy = "dotlock";
		rc = dot_lock(m, rules, e);
	}
	if (rc == 1) {
		*busy = "replaced";
		rc = is_current(m, e);
	}
	/* what it is, and how long, counts from here on */
	if (rc == 1)
		rc = check_file(m, rules, e) < 0 ? -1 : 1;
	return rc == 0 ? 2 : rc;
}

static void give_back(struct mbox *m)
{
	mbox_dot_drop(&m->dot); /* before the kernel's: who waits for those then finds this one free */
	sys_close(m->fd);
	m->fd = -1;
}

/* Longer from time to time, and never in step with others. */
static void nap(int64_t *ms, int64_t most)
{
	int64_t t = *ms / 2 + (int64_t)(rand_u64() % (uint64_t)(*ms / 2 + 1));
	struct timespec ts = { .tv_sec = t / 1000, .tv_nsec = t % 1000 * 1000000L };
	(void)nanosleep(&ts, NULL);
	*ms = *ms * 2 < most ? *ms * 2 : most;
}

static int open_locked(struct mbox *m, const struct mbox_rules *rules, struct err *e)
{
	int64_t most = rules->pause_ms > NAP_MIN_MS ? rules->pause_ms : NAP_MIN_MS;
	int64_t end = clock_mono_ms() + (int64_t)rules->attempts * rules->pause_ms, ms = NAP_MIN_MS;
	for (;;) {
		const char *busy = "";
		int rc = attempt(m, rules, &busy, e);
		if (rc == 1 || rc == 0)
			return rc;
		give_back(m);
		if (rc < 0)
			return -1;
		if (clock_mono_ms() >= end)
			return err_sys(e, ETIMEDOUT, "lock %s (%s): somebody else has it", m->path, busy);
		nap(&ms, most);
	}
}

int mbox_open(struct mbox *m, const char *root, const char *rel, const struct mbox_rules *rules, struct err *e)
{
	*m = (struct mbox){ .dir = -1, .fd = -1 };
	int rc = split(m, root, rel, e);
	if (rc == 1) {
		m->spool = spool_needed(rules->spool, m->dir, m->parent);
		rc = open_locked(m, rules, e);
	}
	if (rc != 1)
		mbox_close(m);
	return rc;
}

void mbox_close(struct mbox *m)
{
	give_back(m);
	sys_close(m->dir);
	m->dir = -1;
}
