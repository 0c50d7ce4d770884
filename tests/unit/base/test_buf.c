/* Unit test of lib/base/buf.c. */
#include "tests/support/t.h"
#include "lib/base/buf.h"

static void grows_to_its_ceiling(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 5);
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_puts(&b, "def"), -1);
	assert_true(b.overflow);
	t_assert_sv(buf_sv(&b), "abc"); /* nothing of what did not fit */
	assert_int_equal(buf_puts(&b, "de"), 0);
	assert_int_equal(buf_putc(&b, 'x'), -1);
	assert_string_equal(buf_z(&b), "abcde");
	buf_reset(&b);
	assert_false(b.overflow);
	assert_int_equal(buf_printf(&b, "%d", 12345), 0);
	assert_int_equal(buf_printf(&b, "%d", 6), -1);
	buf_free(&b);
	assert_string_equal(buf_z(&b), "");
}

static void consumes_and_truncates(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000000);
	buf_consume(&b, 3); /* empty: nothing happens */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_puts(&b, "0123456789"), 0);
	buf_consume(&b, 9995);
	t_assert_sv(buf_sv(&b), "56789");
	buf_truncate(&b, 2);
	t_assert_sv(buf_sv(&b), "56");
	buf_truncate(&b, 10);
	t_assert_sv(buf_sv(&b), "56");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	char *p = buf_steal(&b);
	assert_string_equal(p, "");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(grows_to_its_ceiling),
		cmocka_unit_test(consumes_and_truncates) };
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
