/* Unit test of lib/base/err.c. */
#include <errno.h>

#include "tests/support/t.h"
#include "lib/base/err.h"

static void says_why(UNUSED void **state)
{
	struct err e = ERR_INIT;
	assert_int_equal(err_set(&e, ERR_CONFIG, "main.cf, line %d: no", 3), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_string_equal(e.text, "main.cf, line 3: no");
	assert_int_equal(err_sys(&e, ENOSPC, "write %s", "x"), -1);
	assert_int_equal(e.cls, ERR_TEMP);
	assert_int_equal(e.sys_errno, ENOSPC);
	assert_string_equal(e.text, "write x: No space left on device");
	assert_int_equal(err_prefix(&e, "queue %d", 1), -1);
	assert_string_equal(e.text, "queue 1: write x: No space left on device");
	assert_int_equal(err_set(NULL, ERR_TEMP, "nobody listens"), -1);
}

static void long_texts_are_cut(UNUSED void **state)
{
	struct err e = ERR_INIT;
	char big[2000];
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_sys(&e, EIO, "%s", big);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(says_why),
		cmocka_unit_test(long_texts_are_cut) };
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
