/*
 * tests/unit/store/box_fixture.h - a Maildir in a temporary directory, and files put into it by hand.
 */
#ifndef TESTS_UNIT_STORE_BOX_FIXTURE_H
#define TESTS_UNIT_STORE_BOX_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/store/maildir_box.h"
#include "tests/support/tmpdir.h"

struct fixture {
	char *tmp;
	char root[300];
};

static inline void fixture_make(struct fixture *f)
{
	f->tmp = tmpdir_new();
	(void)snprintf(f->root, sizeof(f->root), "%s/Maildir", f->tmp);
	int fd;
	if (maildir_root_open(f->root, (uid_t)-1, true, &fd, NULL) == 1)
		close(fd);
}

static inline void fixture_free(struct fixture *f)
{
	tmpdir_remove(f->tmp);
}

static inline void fixture_path(const struct fixture *f, const char *rel, char out[600])
{
	(void)snprintf(out, 600, "%s/%s", f->root, rel);
}

/* Write TEXT to REL below the Maildir (replaces). */
static inline void fixture_put(const struct fixture *f, const char *rel, const char *text)
{
	char path[600];
	fixture_path(f, rel, path);
	FILE *fp = fopen(path, "w");
	if (fp) {
		(void)fputs(text, fp);
		(void)fclose(fp);
	}
}

/* The file's content (freed by the caller), or NULL. */
static inline char *fixture_get(const struct fixture *f, const char *rel)
{
	char path[600];
	fixture_path(f, rel, path);
	FILE *fp = fopen(path, "r");
	if (!fp)
		return NULL;
	char *text = mem_alloc(100000);
	text[fread(text, 1, 99999, fp)] = '\0';
	(void)fclose(fp);
	return text;
}

/* How many entries of SUB do not start with a dot. */
static inline int fixture_count(const struct fixture *f, const char *sub)
{
	char path[600];
	fixture_path(f, sub, path);
	DIR *d = opendir(path);
	if (!d)
		return -1;
	int n = 0;
	struct dirent *de;
	while ((de = readdir(d)) != NULL)
		n += de->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static inline bool fixture_has(const struct fixture *f, const char *rel)
{
	char path[600];
	fixture_path(f, rel, path);
	return access(path, F_OK) == 0;
}

static inline void fixture_move(const struct fixture *f, const char *a, const char *b)
{
	char pa[600], pb[600];
	fixture_path(f, a, pa);
	fixture_path(f, b, pb);
	(void)rename(pa, pb);
}

static inline void fixture_remove(const struct fixture *f, const char *rel)
{
	char path[600];
	fixture_path(f, rel, path);
	(void)unlink(path);
}

static inline struct maildir_box *fixture_box(const struct fixture *f, bool writable)
{
	struct maildir_box_def def = { .root_path = f->root, .uid = (uid_t)-1, .host = "h",
		.lock_timeout_ms = 2000, .writable = writable };
	struct folder_dir inbox = { "." };
	return maildir_box_new(&def, &inbox);
}

#endif
