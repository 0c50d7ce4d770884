/*
 * Looking for a mail by its delivery key. Only the names are read: KEY stands in them. A reader may
 * move the file from new/ to cur/, or rename it there, while this looks: so new/ comes before cur/,
 * and all is looked at twice before the answer is "no".
 */
#include <errno.h>
#include <string.h>

#include "lib/store/maildir_save.h"
#include "lib/sys/sys.h"

static int size_fits(int dirfd, const char *name, const struct maildir_name *n, uint64_t size)
{
	if (n->size != 0)
		return n->size == size;
	struct stat st;
	if (sys_fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* moved on; the second look finds it */
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

static int find_in(int dirfd, const char *path, const char *sub, const struct store_key *key,
        uint64_t size, struct err *e)
{
	int fd = sys_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			sys_close(fd);
		return err_sys(e, saved, "open %s/%s", path, sub);
	}
	int found = 0;
	struct dirent *de;
	errno = 0;
	while (!found && (de = readdir(dir)) != NULL) {
		struct maildir_name n;
		if (maildir_name_parse(sv_z(de->d_name), &n) == 1 && sv_eqz(n.key, key->hex))
			found = size_fits(dirfd, de->d_name, &n, size);
		errno = 0;
	}
	if (!found && errno != 0)
		found = err_sys(e, errno, "read %s/%s", path, sub);
	(void)closedir(dir);
	/* whoever put it there may have been killed before it synced the directory */
	return found == 1 && maildir_sync(dirfd, path, sub, e) < 0 ? -1 : found;
}

static int find_in_folder(int root, const char *root_path, const struct folder_dir *f,
        const struct store_key *key, uint64_t size, struct err *e)
{
	struct maildir_dir d;
	int rc = maildir_dir_open(root, root_path, f, &d, e);
	if (rc <= 0)
		return rc;
	rc = find_in(d.new_, d.path, "new", key, size, e);
	if (rc == 0)
		rc = find_in(d.cur, d.path, "cur", key, size, e);
	maildir_dir_close(&d);
	return rc;
}

static int find_once(
        int root, const char *root_path, const struct store_key *key, uint64_t size, struct err *e)
{
	struct folder_dir inbox = { "." };
	int rc = find_in_folder(root, root_path, &inbox, key, size, e);
	if (rc != 0)
		return rc;
	int fd = sys_openat(root, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			sys_close(fd);
		return err_sys(e, saved, "open %s", root_path);
	}
	struct dirent *de;
	errno = 0;
	while (rc == 0 && (de = readdir(dir)) != NULL) {
		struct sv name;
		struct folder_dir f;
		if (folder_name_of(sv_z(de->d_name), &name) == 1 && folder_dir_of(name, &f, e) == 1)
			rc = find_in_folder(root, root_path, &f, key, size, e);
		errno = 0;
	}
	if (rc == 0 && errno != 0)
		rc = err_sys(e, errno, "read %s", root_path);
	(void)closedir(dir);
	return rc;
}

int maildir_key_find(
        int root, const char *root_path, const struct store_key *key, uint64_t size, struct err *e)
{
	int rc = find_once(root, root_path, key, size, e);
	if (rc == 0)
		rc = find_once(root, root_path, key, size, e);
	return rc;
}
