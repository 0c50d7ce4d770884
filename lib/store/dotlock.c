#include "lib/store/dotlock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/num.h"
#include "lib/base/sv.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define POLL_MIN_MS 2
#define EMPTY_S     2 /* its maker died before it could write down who it is */
#define POLL_MAX_MS 50
#define DROP_TRIES  3

/* Somebody's lock since we first saw it like this. */
struct watched {
	ino_t ino;
	struct timespec ctim;
	int64_t since_ms;
};

static void host_name(char out[65])
{
	if (gethostname(out, 64) < 0)
		out[0] = '\0';
	out[64] = '\0';
}

/* A lock that may be empty for long must not be so while it is made: it gets its name when it is written. */
static int give_name(const struct dotlock *l, const char *aside)
{
	int rc = sys_linkat(l->dir, aside, l->dir, l->name);
	int saved = errno;
	(void)sys_unlinkat(l->dir, aside, 0);
	errno = saved;
	return rc;
}

/* 1 made; 0 somebody has it; -1. */
static int try_create(struct dotlock *l, const char *path, struct err *e)
{
	char aside[300] = "";
	struct stat there;
	bool named = !l->others;
	if (!named)
		(void)snprintf(aside, sizeof(aside), ".%.200s.%016" PRIx64, l->name, rand_u64());
	if (!named && sys_fstatat(l->dir, l->name, &there, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	const char *name = named ? l->name : aside;
	int fd = sys_openat(l->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0) {
		if (errno == EEXIST)
			return 0;
		return err_sys(e, errno, "create %s/%s", path, name);
	}
	char host[65], text[128];
	host_name(host);
	int n = snprintf(text, sizeof(text), "%ld:%s", (long)l->pid, host);
	struct stat st;
	int rc = sys_write_all(fd, text, (size_t)n);
	if (rc < 0)
		err_sys(e, errno, "write %s/%s", path, name);
	if (rc < 0)
		(void)sys_unlinkat(l->dir, name, 0);
	else if (!named && give_name(l, aside) < 0)
		rc = errno == EEXIST ? 1 : err_sys(e, errno, "link %s/%s", path, l->name);
	if (rc == 0 && sys_fstat(fd, &st) < 0) { /* after the last change of its inode */
		rc = err_sys(e, errno, "stat %s/%s", path, l->name);
		(void)sys_unlinkat(l->dir, l->name, 0);
	}
	if (rc != 0) {
		sys_close(fd);
		return rc < 0 ? -1 : 0;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->made = st.st_ctim;
	sys_close(fd);
	return 1;
}

/* The process of this host that the lock's text names; 0: none. A pid alone is liblockfile's, c-client's, mutt's. */
static pid_t owner_of(const struct dotlock *l, struct sv text)
{
	char host[65];
	uint32_t pid;
	host_name(host);
	struct sv rest = l->others ? sv_trim(text) : text;
	bool alone = l->others && sv_chr(rest, ':') < 0;
	if (num_u32(sv_take_until(&rest, ':'), &pid) < 0 || pid == 0 || pid > INT32_MAX)
		return 0;
	return alone || sv_eqz(rest, host) ? (pid_t)pid : 0;
}

static bool owner_is_dead(const struct dotlock *l, struct sv text)
{
	pid_t pid = owner_of(l, text);
	return pid > 0 && pid != getpid() && kill(pid, 0) < 0 && errno == ESRCH;
}

/* For how long the lock has been as it is: by its times, or, as those may be of the future when the clock was
 * set back, by how long we have looked at it. Seconds. */
static int64_t age_of(struct watched *w, const struct stat *st)
{
	if (w->ino != st->st_ino || w->ctim.tv_sec != st->st_ctim.tv_sec ||
	        w->ctim.tv_nsec != st->st_ctim.tv_nsec)
		*w = (struct watched){ .ino = st->st_ino, .ctim = st->st_ctim, .since_ms = clock_mono_ms() };
	int64_t seen = (clock_mono_ms() - w->since_ms) / 1000;
	int64_t age = clock_wall_s() - (int64_t)(st->st_mtime > st->st_ctime ? st->st_mtime : st->st_ctime);
	return age > seen ? age : seen;
}

/* What the lock says, and its times: of one that cannot be read (another's, a link, a FIFO) only these. Octets of the
 * text, or -1: there is none any more. */
static ssize_t read_lock(const struct dotlock *l, char *text, size_t size, struct stat *st, bool *readable)
{
	int fd = sys_openat(l->dir, l->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	ssize_t n = fd < 0 ? -1 : sys_pread(fd, text, size, 0);
	int rc = n < 0 ? sys_fstatat(l->dir, l->name, st, AT_SYMLINK_NOFOLLOW) : sys_fstat(fd, st);
	if (fd >= 0)
		sys_close(fd);
	*readable = n >= 0;
	return rc < 0 ? -1 : n < 0 ? 0 : n;
}

/* Remove a stale lock. A rename sets it aside first, so that a fresh lock that took its place in
 * between is noticed and given back. */
static void break_if_stale(struct dotlock *l, const char *path, struct watched *w)
{
	char text[128];
	struct stat st, now;
	bool readable;
	ssize_t n = read_lock(l, text, sizeof(text), &st, &readable);
	if (n < 0)
		return;
	int64_t age = age_of(w, &st);
	if (!owner_is_dead(l, sv_n(text, (size_t)n)) && age < (readable && n == 0 ? l->empty_s : l->stale_s))
		return;
	char aside[300];
	(void)snprintf(aside, sizeof(aside), "%s%s.%016" PRIx64, l->others ? "." : "", l->name, rand_u64());
	if (sys_renameat(l->dir, l->name, l->dir, aside) < 0)
		return;
	if (sys_fstatat(l->dir, aside, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino != st.st_ino)
		(void)sys_linkat(l->dir, aside, l->dir, l->name);
	else
		log_warn("%s/%s: removed a stale lock (%.*s)", path, l->name, (int)n, text);
	(void)sys_unlinkat(l->dir, aside, 0);
}

static int take(struct dotlock *l, int64_t timeout_ms, struct err *e)
{
	const char *path = l->path, *name = l->name;
	struct watched w = { .ino = 0 };
	int64_t end = clock_mono_ms() + timeout_ms;
	long ms = POLL_MIN_MS;
	for (;;) {
		int rc = try_create(l, path, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		break_if_stale(l, path, &w);
		if (clock_mono_ms() >= end)
			return err_sys(e, ETIMEDOUT, "lock %s/%s", path, name);
		struct timespec nap = { .tv_nsec = ms * 1000000L };
		(void)nanosleep(&nap, NULL);
		ms = ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : ms * 2;
	}
}

int dotlock_take(struct dotlock *l, int dir, const char *path, const char *name, int64_t timeout_ms,
        struct err *e)
{
	*l = (struct dotlock){ .dir = dir, .path = path, .name = name, .pid = getpid(), .stale_s = DOTLOCK_STALE_S,
		.empty_s = EMPTY_S };
	return take(l, timeout_ms, e);
}

int dotlock_take_after(struct dotlock *l, int dir, const char *path, const char *name, int64_t timeout_ms,
        int64_t stale_s, struct err *e)
{
	*l = (struct dotlock){ .dir = dir, .path = path, .name = name, .pid = getpid(), .stale_s = stale_s,
		.empty_s = stale_s, .others = true };
	return take(l, timeout_ms, e);
}

/* A lock that this account made for the process before. */
static bool adopt(struct dotlock *l)
{
	char text[128];
	struct stat st;
	int fd = sys_openat(l->dir, l->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return false;
	ssize_t n = sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()
		? -1 : sys_pread(fd, text, sizeof(text), 0);
	sys_close(fd);
	struct sv s = sv_n(text, n < 0 ? 0 : (size_t)n);
	if (sv_chr(s, ':') < 0 || owner_of(l, s) != l->pid)
		return false;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->made = st.st_ctim;
	return true;
}

int dotlock_take_for(struct dotlock *l, pid_t pid, int dir, const char *path, const char *name, int64_t stale_s,
        struct err *e)
{
	struct err why = ERR_INIT;
	*l = (struct dotlock){ .dir = dir, .path = path, .name = name, .pid = pid, .stale_s = stale_s,
		.empty_s = stale_s, .others = true };
	if (adopt(l))
		return 0;
	for (int tries = 2; tries > 0; tries--) /* what was stale is gone: once more */
		if (take(l, 0, &why) == 0)
			return 0;
		else if (why.sys_errno != ETIMEDOUT)
			break;
	if (e)
		*e = why;
	return -1;
}

void dotlock_touch(struct dotlock *l)
{
	struct stat st;
	if (l->name && dotlock_held(l) && utimensat(l->dir, l->name, NULL, AT_SYMLINK_NOFOLLOW) == 0 &&
	        sys_fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == l->ino)
		l->made = st.st_ctim;
}

/* 1 ours, 0 gone or another's, -1 not known. */
static int look(const struct dotlock *l)
{
	struct stat st;
	if (sys_fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return st.st_dev == l->dev && st.st_ino == l->ino && st.st_ctim.tv_sec == l->made.tv_sec &&
	       st.st_ctim.tv_nsec == l->made.tv_nsec;
}

bool dotlock_held(const struct dotlock *l)
{
	return look(l) == 1;
}

void dotlock_drop(struct dotlock *l)
{
	if (!l->name)
		return;
	for (int tries = DROP_TRIES; tries > 0; tries--) {
		int ours = look(l);
		if (ours == 0 || (ours == 1 && sys_unlinkat(l->dir, l->name, 0) == 0)) {
			l->name = NULL;
			return;
		}
	}
	log_warn("%s/%s: the lock cannot be removed: %s; it holds up others for %lld s", l->path, l->name,
		strerror(errno), (long long)l->stale_s);
	l->name = NULL;
}
