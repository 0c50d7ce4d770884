/* Unit test of lib/store/spool.c and mbox_dot.c: notes, and a directory where somebody else does the work. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store/mbox_append.h"
#include "lib/store/mbox_dot.h"
#include "tests/support/tmpdir.h"

static void notes(UNUSED void **state)
{
	const struct store_note n = { 1, UINT64_MAX, { 3, 4 }, 5, 6 };
	struct store_note back = { .length = 7 };
	struct buf b;
	buf_init(&b, STORE_NOTE_MAX);
	assert_int_equal(store_note_format(&b, &n), 0);
	t_assert_sv(buf_sv(&b), "1 18446744073709551615 3 4 5 6\n");
	assert_true(store_note_parse(buf_sv(&b), &back));
	assert_memory_equal(&n, &back, sizeof(n));
	/* cut short anywhere it is none */
	for (size_t i = 0; i < b.len; i++)
		assert_false(store_note_parse(sv_upto(buf_sv(&b), i), &back));
	static const char *const bad[] = { "1 2 3 4 5\n", "1 2 3 4 5 6 7\n", "1 2 3 4 5 x\n", "1 2 3 4 5 6\n\n",
		"-1 2 3 4 5 6\n", "1 2 3 4 5 18446744073709551616\n", "\n" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		t_case(bad[i]);
		assert_false(store_note_parse(sv_z(bad[i]), &back));
	}
	/* the longest one fits */
	const struct store_note max = { UINT64_MAX, UINT64_MAX, { UINT64_MAX, UINT64_MAX }, UINT64_MAX, UINT64_MAX };
	buf_reset(&b);
	assert_int_equal(store_note_format(&b, &max), 0);
	buf_free(&b);
}

/* --- somebody who may write there: this process before it gave that up -------------------------------- */

struct helper {
	char dir[400];
	int made, noted, forgotten;
	bool locked, busy, broken;
};

static void at(const struct helper *h, const char *name, const char *suffix, char out[600])
{
	(void)snprintf(out, 600, "%s/%s%s", h->dir, name, suffix);
}

static int fails(struct helper *h, struct err *e)
{
	return h->broken ? err_sys(e, EIO, "the helper") : 0;
}

static int lock(void *ctx, const char *name, struct err *e)
{
	struct helper *h = ctx;
	assert_string_equal(name, "box");
	if (fails(h, e) < 0)
		return -1;
	if (h->busy)
		return 0;
	assert_false(h->locked);
	h->locked = true;
	return 1;
}

static void unlock(void *ctx, UNUSED const char *name)
{
	struct helper *h = ctx;
	assert_true(h->locked);
	h->locked = false;
}

static int make(void *ctx, const char *name, struct err *e)
{
	struct helper *h = ctx;
	char path[600];
	if (fails(h, e) < 0)
		return -1;
	at(h, name, "", path);
	assert_int_equal(chmod(h->dir, 0700), 0);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(chmod(h->dir, 0500), 0);
	h->made++;
	return 1;
}

static int note(void *ctx, const char *name, const uint64_t *n, struct err *e)
{
	struct helper *h = ctx;
	char path[600];
	assert_true(h->locked);
	if (fails(h, e) < 0)
		return -1;
	at(h, name, ".append", path);
	assert_int_equal(chmod(h->dir, 0700), 0);
	(void)unlink(path);
	if (n) {
		FILE *f = fopen(path, "w");
		const struct store_note v = { n[0], n[1], { n[2], n[3] }, n[4], n[5] };
		struct buf b;
		buf_init(&b, STORE_NOTE_MAX);
		assert_int_equal(store_note_format(&b, &v), 0);
		assert_int_equal(fwrite(b.p, 1, b.len, f), b.len);
		(void)fclose(f);
		buf_free(&b);
	}
	assert_int_equal(chmod(h->dir, 0500), 0);
	n ? h->noted++ : h->forgotten++;
	return 1;
}

#define BODY "Subject: s\n\nx\n"

static enum mbox_result append(struct helper *h, const struct store_spool *s, struct err *e)
{
	char path[600];
	at(h, "box", "", path);
	const struct mbox_rules r = { .uid = geteuid(), .locks = MBOX_LOCK_FCNTL | MBOX_LOCK_DOT, .attempts = 2,
		.pause_ms = 20, .stale_s = 500, .spool = s };
	char content[] = "/tmp/merpati-test.XXXXXX";
	int fd = mkstemp(content);
	assert_true(fd >= 0 && unlink(content) == 0);
	assert_int_equal(write(fd, BODY, strlen(BODY)), strlen(BODY));
	const struct mbox_mail m = { .head = SV("From x@y  Sun Nov 22 08:05:00 2026\n"), .fd = fd,
		.size = strlen(BODY) };
	*e = (struct err)ERR_INIT;
	enum mbox_result rc = mbox_append(path, &r, &m, e);
	close(fd);
	return rc;
}

static off_t size_of(const struct helper *h)
{
	struct stat st;
	char path[600];
	at(h, "box", "", path);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Run as somebody whom permissions stop. */
static void a_directory_of_others(UNUSED void **state)
{
	struct helper h = { .made = 0 };
	struct store_spool s = { .dir = h.dir, .lock = lock, .unlock = unlock, .make = make, .note = note, .ctx = &h };
	struct err e;
	char *dir = tmpdir_new();
	bool root = geteuid() == 0;
	if (root) {
		assert_int_equal(chown(dir, 65534, 65534), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	(void)snprintf(h.dir, sizeof(h.dir), "%s", dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_null(spool_needed(&s, fd, dir)); /* we may write there */
	assert_null(spool_needed(NULL, fd, dir));
	assert_int_equal(append(&h, &s, &e), MBOX_WRITTEN);
	assert_int_equal(h.made + h.noted, 0);
	assert_int_equal(unlinkat(fd, "box", 0), 0);
	assert_int_equal(chmod(dir, 0500), 0);
	assert_ptr_equal(spool_needed(&s, fd, dir), &s);
	assert_null(spool_needed(&s, fd, "/elsewhere"));
	close(fd);
	/* what helps, and what is left */
	assert_int_equal(append(&h, &s, &e), MBOX_WRITTEN);
	off_t one = size_of(&h);
	assert_true(one > 40 && h.made == 1 && h.noted == 1 && h.forgotten == 1 && !h.locked);
	/* a lock of others, and trouble, change nothing */
	h.busy = true;
	assert_int_equal(append(&h, &s, &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	h.busy = false;
	h.broken = true;
	assert_int_equal(append(&h, &s, &e), MBOX_TROUBLE);
	assert_int_equal(e.sys_errno, EIO);
	assert_true(size_of(&h) == one && !h.locked);
	h.broken = false;
	/* what a kill leaves: the note, and a part of the mail */
	h.locked = true;
	const uint64_t n[STORE_NOTE_NUMBERS] = { (uint64_t)one, 1000, 1, 2, 35, 1 };
	assert_int_equal(note(&h, "box", n, &e), 1);
	h.locked = false;
	char path[600];
	at(&h, "box", "", path);
	FILE *f = fopen(path, "a");
	(void)fputs("From x@", f);
	(void)fclose(f);
	assert_int_equal(append(&h, &s, &e), MBOX_WRITTEN);
	assert_int_equal(size_of(&h), 2 * one);
	at(&h, "box", ".append", path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(chmod(dir, 0700), 0);
	if (root)
		assert_int_equal(seteuid(0), 0);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(notes), cmocka_unit_test(a_directory_of_others) };
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
