#include "lib/queue/queue_dir.h"

#include <errno.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"

static const struct {
	const char *name;
	bool flat; /* no hashed sub-directories */
} dirs[QUEUE_DIR_COUNT] = {
	[QUEUE_DIR_MAILDROP] = { "maildrop", true },
	[QUEUE_DIR_INCOMING] = { "incoming", false },
	[QUEUE_DIR_ACTIVE] = { "active", false },
	[QUEUE_DIR_DEFERRED] = { "deferred", false },
	[QUEUE_DIR_HOLD] = { "hold", false },
	[QUEUE_DIR_CORRUPT] = { "corrupt", false },
	[QUEUE_DIR_BOUNCE] = { "bounce", false },
	[QUEUE_DIR_DEFER] = { "defer", false },
	[QUEUE_DIR_TRACE] = { "trace", false },
	[QUEUE_DIR_DONE] = { "done", true },
};

static const char hash_digits[QUEUE_HASH_DIRS + 1] = "0123456789ABCDEF";

int queue_open(struct queue *q, const char *spool, struct err *e)
{
	q->root = sys_open(spool, O_RDONLY | O_DIRECTORY, 0);
	if (q->root < 0)
		return err_sys(e, errno, "open queue directory %s", spool);
	q->forming = NULL;
	q->turns = NULL;
	q->turn_ms = QUEUE_TURN_MS;
	for (size_t i = 0; i < QUEUE_HASH_DIRS; i++) {
		struct queue_dirsync *d = &q->incoming[i];
		memset(d, 0, sizeof(*d));
		d->fd = -1;
		pthread_mutex_init(&d->lock, NULL);
		pthread_cond_init(&d->changed, NULL);
	}
	return 0;
}

void queue_close(struct queue *q)
{
	for (size_t i = 0; i < QUEUE_HASH_DIRS; i++) {
		struct queue_dirsync *d = &q->incoming[i];
		if (d->fd >= 0)
			sys_close(d->fd);
		pthread_cond_destroy(&d->changed);
		pthread_mutex_destroy(&d->lock);
	}
	fiber_sem_free(q->turns);
	q->turns = NULL;
	sys_close(q->root);
	q->root = -1;
}

const char *queue_dir_name(enum queue_name n)
{
	return (unsigned)n < QUEUE_DIR_COUNT ? dirs[n].name : "?";
}

int queue_dir_by_name(struct sv name, enum queue_name *out)
{
	for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++)
		if (sv_eqz(name, dirs[n].name)) {
			*out = (enum queue_name)n;
			return 1;
		}
	return 0;
}

/* "deferred/F" or "maildrop": where ID lives. */
static void dir_path(enum queue_name n, char hash, char out[QUEUE_PATH_MAX])
{
	if (dirs[n].flat)
		snprintf(out, QUEUE_PATH_MAX, "%s", dirs[n].name);
	else
		snprintf(out, QUEUE_PATH_MAX, "%s/%c", dirs[n].name, hash);
}

int queue_path(enum queue_name n, struct sv id, char out[QUEUE_PATH_MAX])
{
	if ((unsigned)n >= QUEUE_DIR_COUNT || !queue_id_valid(id))
		return -1;
	char dir[QUEUE_PATH_MAX];
	dir_path(n, queue_id_hash(id), dir);
	int len = snprintf(out, QUEUE_PATH_MAX, "%s/%.*s", dir, SV_ARG(id));
	return len > 0 && len < QUEUE_PATH_MAX ? 0 : -1;
}

static int path_of(enum queue_name n, struct sv id, char out[QUEUE_PATH_MAX], struct err *e)
{
	if (queue_path(n, id, out) < 0)
		return err_set(e, ERR_BUG, "\"%.*s\" is not a queue id", SV_ARG(id));
	return 0;
}

static int open_path(struct queue *q, const char *path, struct err *e)
{
	int fd = sys_openat(q->root, path, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? err_sys(e, errno, "open queue directory %s", path) : fd;
}

/* Make PATH in PARENT, which *FD is once something had to be made. 1 made, 0 was there, -1. */
static int make_dir(struct queue *q, const char *path, const char *parent, int *fd, struct err *e)
{
	struct stat st;
	if (sys_fstatat(q->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (*fd < 0 && (*fd = open_path(q, parent, e)) < 0)
		return -1;
	if (sys_mkdirat(q->root, path, 0700) == 0)
		return 1;
	return errno == EEXIST ? 0 : err_sys(e, errno, "create queue directory %s", path);
}

/* Make those of N paths in PARENT that are missing: durable, or gone again, so that the next start does not
 * take them for durable. */
static int make_dirs(struct queue *q, const char *parent, char path[][QUEUE_PATH_MAX], size_t n, struct err *e)
{
	bool made[QUEUE_HASH_DIRS] = { false }, any = false;
	int fd = -1, rc = 0;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		rc = make_dir(q, path[i], parent, &fd, e);
		made[i] = rc == 1;
		any = any || made[i];
	}
	if (rc >= 0 && any && sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "fsync queue directory %s", parent);
	for (size_t i = 0; i < n && rc < 0; i++)
		if (made[i])
			(void)sys_unlinkat(q->root, path[i], AT_REMOVEDIR);
	if (fd >= 0)
		sys_close(fd);
	return rc < 0 ? -1 : 0;
}

int queue_create_dirs(struct queue *q, struct err *e)
{
	char path[QUEUE_HASH_DIRS][QUEUE_PATH_MAX];
	_Static_assert(QUEUE_DIR_COUNT <= QUEUE_HASH_DIRS, "make_dirs() takes no more");
	for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++)
		snprintf(path[n], sizeof(path[n]), "%s", dirs[n].name);
	if (make_dirs(q, ".", path, QUEUE_DIR_COUNT, e) < 0)
		return -1;
	for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++) {
		if (dirs[n].flat)
			continue;
		for (size_t h = 0; h < QUEUE_HASH_DIRS; h++)
			dir_path((enum queue_name)n, hash_digits[h], path[h]);
		if (make_dirs(q, dirs[n].name, path, QUEUE_HASH_DIRS, e) < 0)
			return -1;
	}
	return 0;
}

int queue_open_mail(struct queue *q, enum queue_name n, struct sv id, int flags, int *fd, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	if (path_of(n, id, path, e) < 0)
		return -1;
	int got = sys_openat(q->root, path, flags | O_NOFOLLOW | O_NONBLOCK, 0);
	if (got < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	struct stat st;
	int rc = sys_fstat(got, &st);
	if (rc < 0) {
		err_sys(e, errno, "stat %s", path);
	} else if (st.st_nlink == 0) {
		sys_close(got); /* removed between the two calls */
		return 0;
	} else if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		rc = err_set(e, ERR_TEMP, "%s is not a regular file with one link: remove it", path);
	}
	if (rc < 0) {
		sys_close(got);
		return -1;
	}
	*fd = got;
	return 1;
}

int queue_move(struct queue *q, enum queue_name from, enum queue_name to, struct sv id, struct err *e)
{
	char a[QUEUE_PATH_MAX], b[QUEUE_PATH_MAX];
	struct stat st;
	if (path_of(from, id, a, e) < 0 || path_of(to, id, b, e) < 0)
		return -1;
	if (sys_fstatat(q->root, b, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_TEMP, "cannot move %s to %s: a mail of that id is there", a, b);
	if (errno != ENOENT)
		return err_sys(e, errno, "stat %s", b);
	if (sys_renameat(q->root, a, q->root, b) == 0)
		return 1;
	if (errno == ENOENT && sys_fstatat(q->root, a, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return err_sys(e, errno, "rename %s to %s", a, b);
}

int queue_remove(struct queue *q, enum queue_name n, struct sv id, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	if (path_of(n, id, path, e) < 0)
		return -1;
	if (sys_unlinkat(q->root, path, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, errno, "remove %s", path);
}

int queue_find(struct queue *q, struct sv id, enum queue_name *out, struct err *e)
{
	static const enum queue_name places[] = { QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, QUEUE_DIR_DEFERRED,
		QUEUE_DIR_HOLD, QUEUE_DIR_CORRUPT, QUEUE_DIR_MAILDROP };
	/* twice: a mail that moves against the order of the search is missed at most once */
	for (size_t i = 0; i < 2 * ARRAY_LEN(places); i++) {
		enum queue_name n = places[i % ARRAY_LEN(places)];
		char path[QUEUE_PATH_MAX];
		struct stat st;
		if (path_of(n, id, path, e) < 0)
			return -1;
		if (sys_fstatat(q->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			*out = n;
			return 1;
		}
		if (errno != ENOENT)
			return err_sys(e, errno, "stat %s", path);
	}
	return 0;
}

int queue_open_dir(struct queue *q, enum queue_name n, struct sv id, struct err *e)
{
	char path[QUEUE_PATH_MAX];
	if (path_of(n, id, path, e) < 0)
		return -1;
	dir_path(n, queue_id_hash(id), path);
	return open_path(q, path, e);
}

int queue_sync_dir(int fd, enum queue_name n, struct sv id, struct err *e)
{
	int rc = sys_fsync(fd);
	if (rc < 0)
		err_sys(e, errno, "fsync queue directory %s of %.*s", dirs[n].name, SV_ARG(id));
	sys_close(fd);
	return rc;
}

/* --- scan ------------------------------------------------------------------------------------------ */

void queue_scan_start(struct queue_scan *s, struct queue *q, enum queue_name n)
{
	*s = (struct queue_scan){ .q = q, .name = n };
}

void queue_scan_end(struct queue_scan *s)
{
	if (s->dir)
		closedir(s->dir);
	s->dir = NULL;
}

/* Open the next sub-directory. 1, 0 no more, -1. */
static int scan_open(struct queue_scan *s, struct err *e)
{
	unsigned last = dirs[s->name].flat ? 1 : QUEUE_HASH_DIRS;
	if (s->next_hash >= last)
		return 0;
	char path[QUEUE_PATH_MAX];
	dir_path(s->name, hash_digits[s->next_hash++], path);
	int fd = sys_openat(s->q->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(e, errno, "scan queue directory %s", path);
	s->dir = fdopendir(fd);
	if (!s->dir) {
		int saved = errno;
		sys_close(fd);
		return err_sys(e, saved, "scan queue directory %s", path);
	}
	return 1;
}

int queue_scan_next(struct queue_scan *s, char id[QUEUE_ID_MAX + 1], struct err *e)
{
	for (;;) {
		if (!s->dir) {
			int rc = scan_open(s, e);
			if (rc != 1)
				return rc;
		}
		errno = 0;
		const struct dirent *d = readdir(s->dir);
		if (!d) {
			int saved = errno;
			queue_scan_end(s);
			if (saved)
				return err_sys(e, saved, "read queue directory %s", dirs[s->name].name);
			continue;
		}
		struct sv name = sv_z(d->d_name);
		if (queue_id_valid(name) && sv_copyz(name, id, QUEUE_ID_MAX + 1) == 0)
			return 1;
		if (d->d_name[0] == '.')
			continue;
		s->odd++;
		if (s->odd_name)
			s->odd_name(s->odd_ctx, d->d_name);
	}
}
