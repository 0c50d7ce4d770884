#include "lib/store/maildir_folders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/account.h"
#include "lib/store/dotlock.h"
#include "lib/store/index.h"
#include "lib/store/maildir_name.h"
#include "lib/store/store_file.h"
#include "lib/store/subscriptions.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define RENAME_FILE "merpati.rename"
#define TRASH       "..merpati-deleted."
#define SUBS        "subscriptions"
#define BURY_MAX    100000 /* delivery keys of a deleted folder that are remembered */

/* --- the folders on disk -------------------------------------------------- */

/* 1, 0 nothing of that kind is there, -1 could not find out (E). */
static int is_folder(int root, const char *path, const char *dir, struct err *e)
{
	char cur[sizeof(struct folder_dir) + 4];
	struct stat st;
	(void)snprintf(cur, sizeof(cur), "%s/cur", dir);
	const char *const names[] = { dir, cur };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (sys_fstatat(root, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT || errno == ENOTDIR)
				return 0;
			return err_sys(e, errno, "stat %s/%s", path, names[i]);
		}
		if (!S_ISDIR(st.st_mode))
			return 0;
	}
	return 1;
}

/* Directory of the account for reading. NULL with E. */
static DIR *open_root(int root, const char *path, struct err *e)
{
	int fd = sys_openat(root, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			sys_close(fd);
		err_sys(e, saved, "open %s", path);
	}
	return dir;
}

/* Folders below ROOT, unsorted, INBOX not among them. */
static int read_folders(int root, const char *path, struct folder_list *out, struct err *e)
{
	DIR *dir = open_root(root, path, e);
	if (!dir)
		return -1;
	struct dirent *de;
	int rc = 0;
	errno = 0;
	while (rc == 0 && (de = readdir(dir)) != NULL) {
		struct sv name;
		int is = folder_name_of(sv_z(de->d_name), &name);
		if (is == 1)
			is = is_folder(root, path, de->d_name, e);
		if (is < 0)
			rc = -1;
		if (is == 1) {
			if (out->n >= STORE_MAILBOXES_MAX)
				rc = err_set(e, ERR_TEMP, "%s: more than %d mailboxes", path,
				        STORE_MAILBOXES_MAX);
			else
				folder_list_push(out, name, STORE_FOLDER_EXISTS);
		}
		errno = 0;
	}
	if (rc == 0 && errno != 0)
		rc = err_sys(e, errno, "read %s", path);
	(void)closedir(dir);
	return rc;
}

/* --- rename -------------------------------------------------- */

/* New name of folder NAME when FROM becomes TO: 1, 0 NAME is not concerned, -1 too long. */
static int moved_name(struct sv name, struct sv from, struct sv to, struct folder_dir *out)
{
	if (!sv_eq(name, from) && !folder_is_child(name, from))
		return 0;
	struct buf b;
	buf_init(&b, STORE_NAME_MAX);
	int rc = buf_put_sv(&b, to) == 0 && buf_put_sv(&b, sv_from(name, from.len)) == 0 ? 1 : -1;
	if (rc == 1)
		rc = folder_dir_of(buf_sv(&b), out, NULL);
	buf_free(&b);
	return rc;
}

/* Rename all that is left to rename; what stands in the way stays where it is. 0 or -1. */
static int rename_all(int root, const char *path, struct sv from, struct sv to, struct err *e)
{
	struct folder_list l = { 0 };
	int rc = read_folders(root, path, &l, e);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct folder_dir old, new;
		if (moved_name(sv_z(l.v[i].name), from, to, &new) != 1 ||
		        folder_dir_of(sv_z(l.v[i].name), &old, e) != 1)
			continue;
		int there = is_folder(root, path, new.z, e);
		if (there != 0)
			rc = there < 0 ? -1 : 0;
		else if (sys_renameat(root, old.z, root, new.z) < 0 && errno != ENOENT)
			rc = err_sys(e, errno, "rename %s/%s to %s", path, old.z, new.z);
	}
	folder_list_free(&l);
	if (rc == 0)
		rc = maildir_sync(root, path, "", e);
	if (rc == 0 && sys_unlinkat(root, RENAME_FILE, 0) < 0 && errno != ENOENT)
		rc = err_sys(e, errno, "unlink %s/%s", path, RENAME_FILE);
	return rc;
}

/* A rename that a crash interrupted. */
static int finish_rename(int root, const char *path, struct err *e)
{
	struct buf text;
	buf_init(&text, 4 * 4096);
	int rc = store_file_read(root, path, RENAME_FILE, &text, e);
	if (rc == 0 && text.len > 0) {
		struct sv rest = buf_sv(&text), from, to;
		if (sv_take_line(&rest, &from) && sv_take_line(&rest, &to) &&
		        store_name_check(from, NULL) == 1 && store_name_check(to, NULL) == 1 &&
		        sv_eq(rest, SV("end\n"))) {
			log_info("%s: finishing the rename of \"%.*s\"", path, SV_ARG(from));
			rc = rename_all(root, path, from, to, e);
		} else if (sys_unlinkat(root, RENAME_FILE, 0) < 0 && errno != ENOENT)
			rc = err_sys(e, errno, "unlink %s/%s", path, RENAME_FILE);
	}
	buf_free(&text);
	return rc;
}

/* Open the account and lock it; what a crash left is finished. 1, 0 no Maildir, -1. */
static int enter(const struct folders *f, int *root, int *lock, struct err *e)
{
	int rc = maildir_root_open(f->path, f->uid, false, root, e);
	if (rc != 1)
		return rc;
	*lock = account_lock(*root, f->path, f->lock_timeout_ms, e);
	if (*lock >= 0 && finish_rename(*root, f->path, e) == 0)
		return 1;
	if (*lock >= 0)
		sys_close(*lock);
	sys_close(*root);
	return -1;
}

static void leave(int root, int lock)
{
	sys_close(lock);
	sys_close(root);
}

/* Would every folder that moves get a name that is free? 1 (some move), 0 none moves, -1 PERM. */
static int check_rename(int root, const char *path, const struct folder_list *l, struct sv from,
        struct sv to, struct err *e)
{
	int moves = 0;
	for (size_t i = 0; i < l->n; i++) {
		struct folder_dir new;
		int rc = moved_name(sv_z(l->v[i].name), from, to, &new);
		if (rc < 0)
			return err_set(e, ERR_PERM, "mailbox name becomes too long");
		int there = rc == 1 ? is_folder(root, path, new.z, e) : 0;
		if (there != 0)
			return there < 0 ? -1
			                 : err_set(e, ERR_PERM, "mailbox \"%s\" exists", new.z + 1);
		moves |= rc;
	}
	return moves;
}

int maildir_folder_rename(const struct folders *f, struct sv from, struct sv to, struct err *e)
{
	if (sv_eq(from, to) || folder_is_child(to, from))
		return err_set(
		        e, ERR_PERM, "a mailbox cannot be renamed to itself or to its own child");
	struct folder_dir target;
	int root, lock;
	if (folder_dir_of(to, &target, e) < 0)
		return -1;
	int rc = enter(f, &root, &lock, e);
	if (rc != 1)
		return rc;
	struct folder_list l = { 0 };
	rc = read_folders(root, f->path, &l, e);
	int there = rc == 0 ? is_folder(root, f->path, target.z, e) : 0;
	if (there != 0)
		rc = there < 0 ? -1 : err_set(e, ERR_PERM, "mailbox \"%.*s\" exists", SV_ARG(to));
	if (rc == 0)
		rc = check_rename(root, f->path, &l, from, to, e);
	if (rc == 1) {
		struct buf plan;
		buf_init(&plan, 4096);
		(void)buf_printf(&plan, "%.*s\n%.*s\nend\n", SV_ARG(from), SV_ARG(to));
		rc = store_file_replace(root, f->path, RENAME_FILE, buf_sv(&plan), e);
		if (rc == 0)
			rc = rename_all(root, f->path, from, to, e);
		buf_free(&plan);
		rc = rc < 0 ? -1 : 1;
	}
	folder_list_free(&l);
	leave(root, lock);
	return rc;
}

/* --- create, delete -------------------------------------------------- */

int maildir_folder_create(const struct folders *f, const struct folder_dir *dir, struct err *e)
{
	int root, lock, rc = enter(f, &root, &lock, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, ERR_TEMP, "%s does not exist", f->path);
	rc = maildir_dir_create(root, f->path, dir, e);
	leave(root, lock);
	return rc;
}

/* Delivery keys in the names of directory SUB of the folder into TOMBS. */
static void collect_keys(int root, const struct folder_dir *dir, const char *sub, struct buf *tombs)
{
	char path[sizeof(dir->z) + 8];
	(void)snprintf(path, sizeof(path), "%s/%s", dir->z, sub);
	int fd = sys_openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	struct dirent *de;
	while ((de = readdir(d)) != NULL) {
		struct maildir_name n;
		struct index_tomb t = { .size = 0 };
		if (maildir_name_parse(sv_z(de->d_name), &n) != 1 || sv_empty(n.key))
			continue;
		t.size = n.size;
		(void)snprintf(t.key.hex, sizeof(t.key.hex), "%.*s", SV_ARG(n.key));
		(void)buf_put(tombs, &t, sizeof(t));
	}
	(void)closedir(d);
}

/* The mail of a folder is about to go: its delivery keys are remembered, as EXPUNGE does. */
static void bury(const struct folders *f, int root, const struct folder_dir *dir)
{
	if (!f->index)
		return;
	struct buf tombs;
	buf_init(&tombs, BURY_MAX * sizeof(struct index_tomb));
	collect_keys(root, dir, "new", &tombs);
	collect_keys(root, dir, "cur", &tombs);
	if (tombs.len > 0) {
		struct index_guid none = { { 0 } };
		(void)index_expunged(f->index, &none, NULL, 0, (const void *)tombs.p,
		        tombs.len / sizeof(struct index_tomb), clock_wall_s());
	}
	buf_free(&tombs);
}

/* Remove what is below directory NAME of DIR; DEPTH bounds the walk (a folder is two levels deep). */
static void remove_tree(int dir, const char *name, int depth)
{
	int fd = sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	struct dirent *de;
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (sys_unlinkat(fd, de->d_name, 0) < 0 && depth > 0)
			remove_tree(fd, de->d_name, depth - 1);
	}
	(void)closedir(d);
	(void)sys_unlinkat(dir, name, AT_REMOVEDIR);
}

static int empty_trash(int root, const char *path, struct err *e)
{
	DIR *dir = open_root(root, path, e);
	if (!dir)
		return -1;
	struct dirent *de;
	while ((de = readdir(dir)) != NULL)
		if (sv_starts(sv_z(de->d_name), SV(TRASH)))
			remove_tree(root, de->d_name, 2);
	(void)closedir(dir);
	return 0;
}

int maildir_folder_delete(const struct folders *f, const struct folder_dir *dir, struct err *e)
{
	int root, lock, rc = enter(f, &root, &lock, e);
	if (rc != 1)
		return rc;
	rc = is_folder(root, f->path, dir->z, e);
	if (rc == 1) {
		char trash[64];
		bury(f, root, dir);
		(void)snprintf(trash, sizeof(trash), TRASH "%016" PRIx64, rand_u64());
		if (sys_renameat(root, dir->z, root, trash) < 0)
			rc = err_sys(e, errno, "rename %s/%s", f->path, dir->z);
		else if (maildir_sync(root, f->path, "", e) < 0 ||
		         empty_trash(root, f->path, e) < 0)
			rc = -1;
	}
	leave(root, lock);
	return rc;
}

/* --- subscriptions, list -------------------------------------------------- */

int maildir_subscribe(const struct folders *f, struct sv name, bool on, struct err *e)
{
	int root, lock, rc = enter(f, &root, &lock, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, ERR_TEMP, "%s does not exist", f->path);
	struct dotlock dot;
	rc = dotlock_take(&dot, root, f->path, SUBS ".lock", f->lock_timeout_ms, e);
	if (rc == 0) {
		rc = subscriptions_file_change(root, f->path, SUBS, name, on, e);
		dotlock_drop(&dot);
	}
	leave(root, lock);
	return rc;
}

int maildir_folders_list(const struct folders *f, struct folder_list *out, struct err *e)
{
	int root, lock, rc = enter(f, &root, &lock, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, ERR_TEMP, "%s does not exist", f->path);
	struct buf subs;
	buf_init(&subs, SUBSCRIPTIONS_FILE_MAX);
	folder_list_push(out, SV("INBOX"), STORE_FOLDER_EXISTS);
	rc = read_folders(root, f->path, out, e);
	if (rc == 0)
		rc = store_file_read(root, f->path, SUBS, &subs, e);
	leave(root, lock);
	if (rc == 0)
		folder_list_finish(out, buf_sv(&subs));
	buf_free(&subs);
	return rc < 0 ? -1 : 1;
}
