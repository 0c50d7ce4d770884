/* admin/postsuper/postsuper_check.c - `postsuper -s` and `-p`: files where they belong, leftovers gone. */
#include "admin/postsuper/postsuper.h"

#include <errno.h>
#include <time.h>

#include "lib/queue/queue_mail.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

enum { DROP_STALE_S = 24 * 3600 };

struct check {
	struct queue *q;
	enum queue_name queue;
	bool mails;  /* the queue holds mails (not logs): names are compared with headers */
	bool purge;
	int trouble;
};

/* Move the file PATH (relative to the spool) to where ID belongs. */
static void move_to(struct check *c, const char *path, const char *id)
{
	char target[QUEUE_PATH_MAX];
	struct stat st;
	if (queue_path(c->queue, sv_z(id), target) < 0 || strcmp(path, target) == 0)
		return;
	if (sys_fstatat(c->q->root, target, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		ps_warn("%s: cannot be moved to %s: that exists", path, target);
		c->trouble = 1;
	} else if (sys_renameat(c->q->root, path, c->q->root, target) < 0) {
		ps_warn("rename %s to %s: %s", path, target, strerror(errno));
		c->trouble = 1;
	} else {
		ps_say("%s: moved to %s", path, target);
	}
}

/* A file that nobody will finish: in maildrop/ by its age, elsewhere the queue library knows. */
static void purge(struct check *c, const char *path, const char *name, const struct stat *st)
{
	struct err e = ERR_INIT;
	int rc = 0;
	if (c->queue != QUEUE_DIR_MAILDROP)
		rc = queue_remove_leftover(c->q, c->queue, sv_z(name), &e);
	else if (!(st->st_mode & S_IXUSR) && clock_wall_s() - (int64_t)st->st_mtime > DROP_STALE_S)
		rc = queue_remove(c->q, c->queue, sv_z(name), &e);
	if (rc < 0) {
		ps_warn("%s: %s", path, e.text);
		c->trouble = 1;
	} else if (rc == 1) {
		ps_say("%s: leftover of a process that ended, removed", path);
	}
}

static void check_mail(struct check *c, const char *path, const char *name)
{
	struct queue_mail m;
	struct stat st;
	struct err e = ERR_INIT;
	int fd = sys_openat(c->q->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return; /* it went while we looked */
	if (sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ps_warn("%s: not a regular file: remove it", path);
		c->trouble = 1;
		sys_close(fd);
		return;
	}
	int status = queue_mail_open(&m, fd, &e);
	if (status == QUEUE_FILE_OK) {
		move_to(c, path, m.h.id);
		queue_mail_close(&m);
	} else if (queue_id_valid(sv_z(name))) {
		move_to(c, path, name);
		if (c->purge)
			purge(c, path, name, &st);
	}
	sys_close(fd);
}

static void check_dir(struct check *c, const char *dir, bool top)
{
	int fd = sys_openat(c->q->root, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	if (!d) {
		ps_warn("open %s: %s", dir, strerror(errno));
		c->trouble = 1;
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		char path[512];
		if (entry->d_name[0] == '.' || (top && strlen(entry->d_name) == 1))
			continue; /* hashed sub-directories are walked by the caller */
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (c->mails)
			check_mail(c, path, entry->d_name);
		else if (queue_id_valid(sv_z(entry->d_name)))
			move_to(c, path, entry->d_name);
	}
	closedir(d);
}

int ps_check(struct queue *q, unsigned queues, bool purge_too)
{
	struct err e = ERR_INIT;
	int trouble = 0;
	if (queue_create_dirs(q, &e) < 0) {
		ps_warn("%s", e.text);
		trouble = 1;
	}
	for (unsigned n = 0; n < QUEUE_DIR_COUNT; n++) {
		struct check c = { .q = q, .queue = (enum queue_name)n, .purge = purge_too,
			.mails = n <= QUEUE_DIR_HOLD };
		if (!(queues & 1u << n) || n == QUEUE_DIR_DONE || n == QUEUE_DIR_CORRUPT)
			continue;
		const char *name = queue_dir_name(c.queue);
		check_dir(&c, name, true);
		for (const char *h = "0123456789ABCDEF"; *h && n != QUEUE_DIR_MAILDROP; h++) {
			char dir[QUEUE_PATH_MAX];
			snprintf(dir, sizeof(dir), "%s/%c", name, *h);
			check_dir(&c, dir, false);
		}
		trouble |= c.trouble;
	}
	return trouble;
}
