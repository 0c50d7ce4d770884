#include "lib/store/maildir_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/sys/sys.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const char *const subdirs[] = { "cur", "new", "tmp" };

int maildir_sync(int fd, const char *path, const char *sub, struct err *e)
{
	if (sys_fsync(fd) < 0)
		return err_sys(e, errno, "fsync %s%s%s", path, *sub ? "/" : "", sub);
	return 0;
}

/* cur, new and tmp below DIR; those that exist are kept. What is made is durable, or gone again: the next try
 * would take it for durable. */
static int make_subdirs(int dir, const char *path, struct err *e)
{
	bool made[ARRAY_LEN(subdirs)] = { false };
	int rc = 0;
	for (size_t i = 0; i < ARRAY_LEN(subdirs) && rc == 0; i++) {
		made[i] = sys_mkdirat(dir, subdirs[i], 0700) == 0;
		if (!made[i] && errno != EEXIST)
			rc = err_sys(e, errno, "mkdir %s/%s", path, subdirs[i]);
	}
	if (rc == 0)
		rc = maildir_sync(dir, path, "", e);
	for (size_t i = 0; i < ARRAY_LEN(subdirs) && rc < 0; i++)
		if (made[i])
			(void)sys_unlinkat(dir, subdirs[i], AT_REMOVEDIR);
	return rc;
}

/* Directory PATH, whose parent exists: 0 there, durable when we made it; -1. */
static int make_one(const char *path, struct err *e)
{
	char parent[4096] = "/";
	const char *slash = strrchr(path, '/');
	if (slash != path)
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	int fd = sys_open(parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(e, errno, "open %s", parent);
	int rc = sys_mkdir(path, 0700);
	if (rc < 0)
		rc = errno == EEXIST ? 0 : err_sys(e, errno, "mkdir %s", path);
	else if ((rc = maildir_sync(fd, parent, "", e)) < 0)
		(void)sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	sys_close(fd);
	return rc;
}

/* Make PATH (absolute) and its missing parents. */
static int make_path(const char *path, struct err *e)
{
	char part[4096];
	struct stat st;
	size_t len = strlen(path);
	if (len >= sizeof(part))
		return err_set(e, ERR_CONFIG, "path of a Maildir is too long");
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		part[i] = '\0';
		if (sys_fstatat(AT_FDCWD, part, &st, 0) < 0 && make_one(part, e) < 0)
			return -1;
		part[i] = path[i];
	}
	return 0;
}

int maildir_path_open(const char *path, uid_t uid, bool create, int *out, struct err *e)
{
	int fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT) {
		if (!create)
			return 0;
		if (make_path(path, e) < 0)
			return -1;
		fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	struct stat st;
	int rc = 1;
	if (sys_fstat(fd, &st) < 0)
		rc = err_sys(e, errno, "stat %s", path);
	else if (uid != (uid_t)-1 && st.st_uid != uid)
		rc = err_set(e, ERR_CONFIG, "%s: owned by uid %u, not by uid %u", path,
		        (unsigned)st.st_uid, (unsigned)uid);
	if (rc == 1)
		*out = fd;
	else
		sys_close(fd);
	return rc;
}

int maildir_root_open(const char *path, uid_t uid, bool create, int *out, struct err *e)
{
	int fd, rc = maildir_path_open(path, uid, create, &fd, e);
	if (rc != 1)
		return rc;
	bool whole = true;
	struct stat st;
	for (size_t i = 0; i < ARRAY_LEN(subdirs); i++)
		if (sys_fstatat(fd, subdirs[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			whole = false;
	if (!whole)
		rc = !create ? 0 : make_subdirs(fd, path, e) < 0 ? -1 : 1;
	if (rc == 1)
		*out = fd;
	else
		sys_close(fd);
	return rc;
}

void maildir_dir_close(struct maildir_dir *d)
{
	int *fds[] = { &d->cur, &d->new_, &d->tmp, &d->dir };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			sys_close(*fds[i]);
		*fds[i] = -1;
	}
}

int maildir_dir_open(int root, const char *root_path, const struct folder_dir *folder,
        struct maildir_dir *out, struct err *e)
{
	*out = (struct maildir_dir){ .dir = -1, .cur = -1, .new_ = -1, .tmp = -1 };
	bool inbox = folder->z[1] == '\0';
	(void)snprintf(out->path, sizeof(out->path), "%s%s%s", root_path, inbox ? "" : "/",
	        inbox ? "" : folder->z);
	out->dir = sys_openat(root, folder->z, DIR_FLAGS, 0);
	if (out->dir < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		return err_sys(e, errno, "open %s", out->path);
	}
	int *fds[] = { &out->cur, &out->new_, &out->tmp };
	for (size_t i = 0; i < ARRAY_LEN(subdirs); i++) {
		*fds[i] = sys_openat(out->dir, subdirs[i], DIR_FLAGS, 0);
		if (*fds[i] < 0 && errno == ENOENT && i > 0 && out->cur >= 0) {
			/* cur makes it a Maildir; other software removes an empty new or tmp */
			if (make_subdirs(out->dir, out->path, e) < 0)
				break;
			*fds[i] = sys_openat(out->dir, subdirs[i], DIR_FLAGS, 0);
		}
		if (*fds[i] < 0) {
			int saved = errno;
			maildir_dir_close(out);
			if (saved == ENOENT)
				return 0;
			return err_sys(e, saved, "open %s/%s", out->path, subdirs[i]);
		}
	}
	return 1;
}

int maildir_dir_create(
        int root, const char *root_path, const struct folder_dir *folder, struct err *e)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", root_path, folder->z);
	struct stat st;
	char cur[sizeof(folder->z) + 4];
	(void)snprintf(cur, sizeof(cur), "%s/cur", folder->z);
	if (sys_fstatat(root, cur, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	bool made = sys_mkdirat(root, folder->z, 0700) == 0;
	if (!made && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", path);
	int dir = sys_openat(root, folder->z, DIR_FLAGS, 0);
	if (dir < 0)
		return err_sys(e, errno, "open %s", path);
	/* the empty file tells other Maildir++ software that this is a folder, not an account */
	int mark = sys_openat(dir, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
	int rc = mark < 0 ? err_sys(e, errno, "create %s/maildirfolder", path) : 0;
	if (mark >= 0)
		sys_close(mark);
	if (rc == 0)
		rc = make_subdirs(dir, path, e);
	if (rc == 0 && maildir_sync(root, root_path, "", e) < 0) {
		rc = -1;
		for (size_t i = 0; i < ARRAY_LEN(subdirs); i++) /* fails where there is mail */
			(void)sys_unlinkat(dir, subdirs[i], AT_REMOVEDIR);
	}
	sys_close(dir);
	if (rc < 0 && made) {
		char file[sizeof(folder->z) + 16];
		(void)snprintf(file, sizeof(file), "%s/maildirfolder", folder->z);
		(void)sys_unlinkat(root, file, 0);
		(void)sys_unlinkat(root, folder->z, AT_REMOVEDIR);
	}
	return rc < 0 ? -1 : 1;
}
