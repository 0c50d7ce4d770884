/* Unit test of lib/deliver/text_file.c: which .forward and :include: files count. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/deliver/text_file.h"
#include "tests/support/tmpdir.h"

static char *dir;

static const char *in_dir(const char *name)
{
	static char path[4][400];
	static unsigned n;
	char *p = path[n++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

static int look(enum text_file_rule rule, const char *name, uid_t uid, struct buf *text, struct err *e)
{
	const char *path = in_dir(name);
	size_t which;
	const struct text_file f = { .paths = &path, .n = 1, .rule = rule, .uid = uid, .max = 100 };
	buf_reset(text);
	*e = (struct err)ERR_INIT;
	return text_file_read(&f, text, &which, NULL, e);
}

static const struct {
	mode_t mode;
	int forward, include;
} modes[] = { { 0600, 1, 1 }, { 0644, 1, 1 }, { 0664, -1, 1 }, { 0646, -1, -1 }, { 0602, -1, -1 }, { 0622, -1, -1 } };

static void who_else_can_write_it(UNUSED void **state)
{
	struct buf b;
	struct err e;
	buf_init(&b, 200000);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		put("f", "bob\n", modes[i].mode);
		assert_int_equal(look(TEXT_FILE_FORWARD, "f", getuid(), &b, &e), modes[i].forward);
		assert_int_equal(e.cls, modes[i].forward < 0 ? ERR_CONFIG : ERR_NONE);
		assert_int_equal(look(TEXT_FILE_INCLUDE, "f", getuid(), &b, &e), modes[i].include);
		if (modes[i].include == 1)
			t_assert_sv(buf_sv(&b), "bob\n");
		else
			assert_non_null(strstr(e.text, "writable by everybody"));
	}
	buf_free(&b);
}

static void what_it_is(UNUSED void **state)
{
	struct buf b;
	struct err e;
	char large[200];
	buf_init(&b, 200000);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	put("f", "bob\n", 0600);
	put("large", large, 0600);
	assert_int_equal(symlink(in_dir("f"), in_dir("link")), 0);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(look(TEXT_FILE_FORWARD, "none", getuid(), &b, &e), 0);
	assert_int_equal(look(TEXT_FILE_FORWARD, "f/none", getuid(), &b, &e), 0);
	assert_int_equal(look(TEXT_FILE_FORWARD, "link", getuid(), &b, &e), -1); /* not followed */
	assert_int_equal(look(TEXT_FILE_INCLUDE, "link", getuid(), &b, &e), 1);
	for (enum text_file_rule rule = TEXT_FILE_FORWARD; rule <= TEXT_FILE_INCLUDE; rule++) {
		assert_int_equal(look(rule, "", getuid(), &b, &e), -1);
		assert_int_equal(look(rule, "fifo", getuid(), &b, &e), -1); /* and nobody waits for it */
		assert_non_null(strstr(e.text, "not a regular file"));
		assert_int_equal(look(rule, "large", getuid(), &b, &e), -1);
		assert_non_null(strstr(e.text, "larger than 100"));
	}
	if (getuid() != 0) /* a file of root counts for everybody */
		assert_int_equal(look(TEXT_FILE_FORWARD, "f", getuid() + 1, &b, &e), -1);
	buf_free(&b);
}

static void the_first_that_exists(UNUSED void **state)
{
	struct buf b;
	struct err e = ERR_INIT;
	size_t which;
	int fd = -1;
	put("second", "two", 0600);
	put("third", "three", 0666);
	const char *paths[] = { in_dir("absent"), in_dir("second"), in_dir("third") };
	const struct text_file f = { .paths = paths, .n = 3, .rule = TEXT_FILE_INCLUDE, .max = 100 };
	buf_init(&b, 200000);
	assert_int_equal(text_file_read(&f, &b, &which, &fd, &e), 1);
	assert_int_equal(which, 1);
	t_assert_sv(buf_sv(&b), "two");
	struct stat a, c;
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(stat(in_dir("second"), &c), 0);
	assert_int_equal(a.st_ino, c.st_ino);
	close(fd);
	buf_free(&b);
}

static int set_up(UNUSED void **state)
{
	dir = tmpdir_new();
	return 0;
}

static int tear_down(UNUSED void **state)
{
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_else_can_write_it),
		cmocka_unit_test(what_it_is),
		cmocka_unit_test(the_first_that_exists),
	};
	return cmocka_run_group_tests_name("text_file", tests, set_up, tear_down);
}
