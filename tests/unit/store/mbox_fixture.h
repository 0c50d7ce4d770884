/*
 * tests/unit/store/mbox_fixture.h - an mbox file in a temporary directory, changed by hand.
 */
#ifndef TESTS_UNIT_STORE_MBOX_FIXTURE_H
#define TESTS_UNIT_STORE_MBOX_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store/mbox_deliver.h"
#include "lib/store/mbox_mail.h"
#include "tests/support/tmpdir.h"

#define FROM "From a@b Sun Nov 22 08:05:00 2026\n"

struct mbox_fixture {
	char *tmp;
	char path[600], ctl[600];
};

static inline void mbox_fixture_make(struct mbox_fixture *f)
{
	f->tmp = tmpdir_new();
	(void)snprintf(f->path, sizeof(f->path), "%s/box", f->tmp);
	(void)snprintf(f->ctl, sizeof(f->ctl), "%s/ctl", f->tmp);
}

static inline void mbox_fixture_free(struct mbox_fixture *f)
{
	tmpdir_remove(f->tmp);
}

static inline void mbox_fixture_write(const struct mbox_fixture *f, const char *mode, const char *text)
{
	FILE *fp = fopen(f->path, mode);
	if (fp) {
		(void)fputs(text, fp);
		(void)fclose(fp);
	}
}

/* The whole file; freed by the caller. */
static inline char *mbox_fixture_text(const struct mbox_fixture *f)
{
	char *text = mem_alloc(4 << 20);
	FILE *fp = fopen(f->path, "r");
	if (fp) {
		text[fread(text, 1, (4 << 20) - 1, fp)] = '\0';
		(void)fclose(fp);
	}
	return text;
}

/* FIND (once in the file) becomes PUT, as an editor in place would. */
static inline bool mbox_fixture_edit(const struct mbox_fixture *f, const char *find, const char *put)
{
	char *text = mbox_fixture_text(f);
	char *at = strstr(text, find);
	if (at) {
		FILE *fp = fopen(f->path, "r+");
		(void)fwrite(text, 1, (size_t)(at - text), fp);
		(void)fputs(put, fp);
		(void)fputs(at + strlen(find), fp);
		(void)fflush(fp);
		assert_int_equal(ftruncate(fileno(fp), ftell(fp)), 0);
		(void)fclose(fp);
	}
	free(text);
	return at != NULL;
}

static inline struct mbox_box *mbox_fixture_box(const struct mbox_fixture *f, bool writable)
{
	const struct mbox_box_def def = {
		.place = { .root = f->tmp, .rel = "box", .uid = getuid(), .lock_timeout_ms = 200 },
		.ctl_path = f->ctl,
		.ctl_uid = getuid(),
		.writable = writable,
	};
	return mbox_box_new(&def);
}

#endif
