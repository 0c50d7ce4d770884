/* Unit test of lib/sys/nameless.c: no name stays, what is written can be read, trouble is told. */
#include "lib/sys/nameless.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "lib/sys/sys.h"
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

static void test_file(void **state)
{
	char *dir = tmpdir_new(), got[4] = "";
	struct err e = ERR_INIT;
	(void)state;
	int fd = sys_nameless(dir, &e), entries = 0;
	assert_true(fd >= 0);
	assert_int_equal(sys_write_all(fd, "abc", 3), 0);
	assert_int_equal(sys_pread_all(fd, got, 3, 0), 0);
	assert_string_equal(got, "abc");
	DIR *d = opendir(dir);
	for (struct dirent *en; (en = readdir(d));)
		entries += en->d_name[0] != '.';
	closedir(d);
	assert_int_equal(entries, 0);
	sys_close(fd);
	tmpdir_remove(dir);
	assert_int_equal(sys_nameless("/nonexistent/dir", &e), -1);
	assert_int_equal(e.sys_errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_file) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
