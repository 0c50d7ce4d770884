#include "lib/store/mbox_folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/store/account.h"
#include "lib/store/folder_name.h"
#include "lib/store/maildir_dir.h"
#include "lib/store/mbox_box.h"
#include "lib/store/mbox_journal.h"
#include "lib/store/store_file.h"
#include "lib/store/subscriptions.h"
#include "lib/sys/sys.h"

#define SUBS      ".subscriptions"
#define DEPTH_MAX 32

/* --- list -------------------------------------------------- */

static int walk(int dir, const char *path, struct sv parent, int depth, struct folder_list *out, struct err *e);

/* One entry of a directory. 0 or -1. */
static int entry(int dir, const char *path, const char *file, struct sv parent, int depth, struct folder_list *out,
	struct err *e)
{
	struct buf name;
	struct stat st;
	int rc = 0;
	buf_init(&name, 4096);
	if (mbox_name_of(parent, sv_z(file), &name) != 1) {
		buf_free(&name);
		return 0;
	}
	if (sys_fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = errno == ENOENT ? 0 : err_sys(e, errno, "stat %s/%s", path, file);
	else if (out->n >= STORE_MAILBOXES_MAX)
		rc = err_set(e, ERR_TEMP, "%s: more than %d mailboxes", path, STORE_MAILBOXES_MAX);
	else if (S_ISREG(st.st_mode))
		folder_list_push(out, buf_sv(&name), STORE_FOLDER_EXISTS);
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
		folder_list_push(out, buf_sv(&name), 0);
		int sub = sys_openat(dir, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (sub >= 0)
			rc = walk(sub, path, buf_sv(&name), depth + 1, out, e);
		else if (errno != ENOENT)
			rc = err_sys(e, errno, "open %s/%s", path, file);
	}
	buf_free(&name);
	return rc;
}

/* Closes DIR. */
static int walk(int dir, const char *path, struct sv parent, int depth, struct folder_list *out, struct err *e)
{
	DIR *d = fdopendir(dir);
	int rc = 0;
	if (!d) {
		rc = err_sys(e, errno, "read %s", path);
		sys_close(dir);
		return rc;
	}
	while (rc == 0) {
		errno = 0;
		const struct dirent *de = readdir(d);
		if (!de && errno)
			rc = err_sys(e, errno, "read %s", path);
		if (!de)
			break;
		rc = entry(dir, path, de->d_name, parent, depth, out, e);
	}
	(void)closedir(d);
	return rc;
}

static int open_root(const struct mbox_folders *f, struct err *e)
{
	int root;
	return maildir_path_open(f->path, f->uid, true, &root, e) == 1 ? root : -1;
}

int mbox_folders_list(const struct mbox_folders *f, struct folder_list *out, struct err *e)
{
	struct buf subs;
	int root = open_root(f, e);
	if (root < 0)
		return -1;
	buf_init(&subs, SUBSCRIPTIONS_FILE_MAX);
	int rc = store_file_read(root, f->path, SUBS, &subs, e);
	folder_list_push(out, SV("INBOX"), STORE_FOLDER_EXISTS);
	if (rc == 0)
		rc = walk(root, f->path, SV_NONE, 0, out, e);
	else
		sys_close(root);
	if (rc == 0)
		folder_list_finish(out, buf_sv(&subs));
	buf_free(&subs);
	return rc < 0 ? -1 : 1;
}

/* --- changes -------------------------------------------------- */

/* The account's lock. */
static int enter(const struct mbox_folders *f, int *root, int *lock, struct err *e)
{
	int control;
	if (maildir_path_open(f->control, f->uid, true, &control, e) != 1)
		return -1;
	*lock = account_lock(control, f->control, f->lock_timeout_ms, e);
	sys_close(control);
	*root = *lock < 0 ? -1 : open_root(f, e);
	if (*lock >= 0 && *root < 0)
		sys_close(*lock);
	return *root < 0 ? -1 : 1;
}

static void leave(int root, int lock)
{
	sys_close(root);
	sys_close(lock);
}

/* The directory that will hold REL, and those above it. The descriptor, or -1. */
static int make_parents(const struct mbox_folders *f, const char *rel, struct err *e)
{
	int dir = open_root(f, e);
	struct sv rest = sv_z(rel);
	while (dir >= 0 && sv_chr(rest, '/') >= 0) {
		char name[STORE_NAME_MAX + 1];
		struct sv part = sv_take_until(&rest, '/');
		(void)snprintf(name, sizeof(name), "%.*s", SV_ARG(part));
		bool made = sys_mkdirat(dir, name, 0700) == 0;
		int next = made || errno == EEXIST
			? sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) : -1;
		if (next < 0 && errno == ENOTDIR)
			(void)err_set(e, ERR_PERM, "a mailbox above \"%s\" holds mail: it cannot have children", rel);
		else if (next < 0)
			(void)err_sys(e, errno, "mkdir %s/%s", f->path, rel);
		if (next >= 0 && made && maildir_sync(dir, f->path, "", e) < 0) {
			(void)sys_unlinkat(dir, name, AT_REMOVEDIR);
			sys_close(next);
			next = -1;
		}
		sys_close(dir);
		dir = next;
	}
	return dir;
}

static const char *last_part(const char *rel)
{
	const char *slash = strrchr(rel, '/');
	return slash ? slash + 1 : rel;
}

/* 1 a mailbox, 2 a directory, 0 nothing, -1. */
static int kind_of(const struct mbox_folders *f, const char *rel, struct err *e)
{
	struct stat st;
	int dir, rc = mbox_dir_open(f->path, rel, &dir, e);
	if (rc != 1)
		return rc;
	rc = sys_fstatat(dir, last_part(rel), &st, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		rc = errno == ENOENT ? 0 : err_sys(e, errno, "stat %s/%s", f->path, rel);
	else
		rc = S_ISDIR(st.st_mode) ? 2 : 1;
	sys_close(dir);
	return rc;
}

static int make_file(const struct mbox_folders *f, const char *rel, struct err *e)
{
	int dir = make_parents(f, rel, e);
	if (dir < 0)
		return -1;
	int fd = sys_openat(dir, last_part(rel), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? err_sys(e, errno, "create %s/%s", f->path, rel) : maildir_sync(dir, f->path, rel, e);
	if (fd >= 0 && rc < 0)
		(void)sys_unlinkat(dir, last_part(rel), 0);
	sys_close(fd);
	sys_close(dir);
	return rc < 0 ? -1 : 1;
}

int mbox_folder_create(const struct mbox_folders *f, const struct mbox_rel *rel, struct err *e)
{
	int root, lock;
	if (enter(f, &root, &lock, e) < 0)
		return -1;
	int rc = kind_of(f, rel->z, e);
	if (rc == 2)
		rc = err_set(e, ERR_PERM, "%s is a directory: it cannot hold mail", rel->z);
	else if (rc == 0)
		rc = make_file(f, rel->z, e);
	else if (rc == 1)
		rc = 0;
	leave(root, lock);
	return rc;
}

static int remove_it(const struct mbox_folders *f, const char *rel, int kind, struct err *e)
{
	struct mbox_ctl c;
	int dir, rc = mbox_dir_open(f->path, rel, &dir, e);
	if (rc != 1)
		return rc;
	if (sys_unlinkat(dir, last_part(rel), kind == 2 ? AT_REMOVEDIR : 0) < 0) {
		rc = errno == ENOTEMPTY || errno == EEXIST
			? err_set(e, ERR_PERM, "%s is a directory that is not empty", rel)
			: err_sys(e, errno, "remove %s/%s", f->path, rel);
	} else {
		rc = maildir_sync(dir, f->path, rel, e) < 0 ? -1 : 1;
	}
	sys_close(dir);
	if (rc == 1 && kind == 1 && mbox_ctl_open(f->control, f->uid, f->path, rel, &c, e) == 0) {
		mbox_ctl_forget(&c);
		mbox_ctl_close(&c);
	}
	return rc;
}

int mbox_folder_delete(const struct mbox_folders *f, const struct mbox_rel *rel, struct err *e)
{
	int root, lock;
	if (enter(f, &root, &lock, e) < 0)
		return -1;
	int kind = kind_of(f, rel->z, e);
	int rc = kind <= 0 ? kind : remove_it(f, rel->z, kind, e);
	leave(root, lock);
	return rc;
}

int mbox_folder_subscribe(const struct mbox_folders *f, struct sv name, bool on, struct err *e)
{
	int root, lock;
	if (enter(f, &root, &lock, e) < 0)
		return -1;
	int rc = subscriptions_file_change(root, f->path, SUBS, name, on, e);
	leave(root, lock);
	return rc;
}

/* --- rename -------------------------------------------------- */

/* What a crash left in a mailbox that moves is finished: its journal would not be found under the new name. */
static int settle(const struct mbox_folders *f, const char *rel, struct err *e)
{
	const struct mbox_box_def def = {
		.place = { .root = f->path, .rel = rel, .uid = f->uid, .lock_timeout_ms = f->lock_timeout_ms },
		.ctl_path = f->control,
		.ctl_uid = f->uid,
	};
	struct mbox_box *b = mbox_box_new(&def);
	struct mbox_io io;
	int rc = mbox_io_open(&io, b, e);
	if (rc == 1 && mbox_journal_exists(io.ctl.dir, io.ctl.path, io.ctl.journal, e) != 0)
		rc = mbox_io_lock(&io, e);
	if (rc >= 0)
		mbox_io_close(&io);
	mbox_box_free(b);
	return rc < 0 ? -1 : 0;
}

/* What was known of a mailbox goes with it; without, its header fields are believed. */
static void move_state(const struct mbox_folders *f, const char *from, const char *to)
{
	struct mbox_ctl a, b;
	struct mbox_state s;
	if (mbox_ctl_open(f->control, f->uid, f->path, from, &a, NULL) < 0)
		return;
	if (mbox_ctl_open(f->control, f->uid, f->path, to, &b, NULL) == 0) {
		if (mbox_ctl_load(&a, &s, NULL) == 0 && s.uidvalidity && mbox_ctl_save(&b, &s, NULL) == 0)
			mbox_ctl_forget(&a);
		mbox_state_free(&s);
		mbox_ctl_close(&b);
	}
	mbox_ctl_close(&a);
}

/* Every mailbox that is FROM or below it, with its name behind the rename (TO empty: only settled). 0 or -1. */
static int each_moved(const struct mbox_folders *f, const struct folder_list *l, struct sv from, struct sv to,
	struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct sv name = sv_z(l->v[i].name);
		struct mbox_rel old, new;
		char moved[2 * STORE_NAME_MAX + 2];
		bool concerned = sv_eq(name, from) || folder_is_child(name, from);
		if (!concerned || !(l->v[i].flags & STORE_FOLDER_EXISTS) || mbox_name_rel(name, &old, NULL) < 0)
			continue;
		if (sv_empty(to)) {
			if (settle(f, old.z, e) < 0)
				return -1;
			continue;
		}
		(void)snprintf(moved, sizeof(moved), "%.*s%.*s", SV_ARG(to), SV_ARG(sv_from(name, from.len)));
		if (mbox_name_rel(sv_z(moved), &new, NULL) == 1)
			move_state(f, old.z, new.z);
	}
	return 0;
}

static int rename_file(const struct mbox_folders *f, const char *from, const char *to, struct err *e)
{
	int source, target = -1;
	int rc = mbox_dir_open(f->path, from, &source, e);
	if (rc != 1)
		return rc;
	target = make_parents(f, to, e);
	rc = target < 0 ? -1 : 1;
	if (rc == 1 && sys_renameat(source, last_part(from), target, last_part(to)) < 0)
		rc = err_sys(e, errno, "rename %s/%s to %s", f->path, from, to);
	if (rc == 1 && (maildir_sync(target, f->path, to, e) < 0 || maildir_sync(source, f->path, from, e) < 0))
		rc = -1;
	sys_close(source);
	sys_close(target);
	return rc;
}

int mbox_folder_rename(const struct mbox_folders *f, struct sv from, struct sv to, struct err *e)
{
	struct mbox_rel old, new;
	struct folder_list l = { .n = 0 };
	int root, lock;
	if (mbox_name_rel(from, &old, e) < 0 || mbox_name_rel(to, &new, e) < 0)
		return -1;
	if (folder_is_child(to, from))
		return err_set(e, ERR_PERM, "a mailbox cannot be moved below itself");
	if (mbox_folders_list(f, &l, e) < 0 || each_moved(f, &l, from, SV_NONE, e) < 0 ||
		enter(f, &root, &lock, e) < 0) {
		folder_list_free(&l);
		return -1;
	}
	int rc = kind_of(f, old.z, e);
	int there = rc > 0 ? kind_of(f, new.z, e) : 0;
	if (there > 0)
		rc = err_set(e, ERR_PERM, "mailbox \"%.*s\" exists", SV_ARG(to));
	else if (there < 0)
		rc = -1;
	else if (rc > 0)
		rc = rename_file(f, old.z, new.z, e);
	if (rc == 1)
		(void)each_moved(f, &l, from, to, e);
	leave(root, lock);
	folder_list_free(&l);
	return rc;
}
