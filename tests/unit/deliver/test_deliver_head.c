/* Unit test of lib/deliver/deliver_head.c: the lines in front of a delivered mail, which no address can add to. */
#include "tests/support/t.h"

#include "lib/deliver/deliver_head.h"

static void test_head(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(deliver_head(&b, SV("a b@x"), SV("orig@y"), SV("to\n@z")), 0);
	t_assert_sv(buf_sv(&b), "Return-Path: <\"a b\"@x>\nX-Original-To: orig@y\nDelivered-To: \"to?\"@z\n");
	buf_reset(&b);
	assert_int_equal(deliver_head(&b, SV(""), SV(""), SV("")), 0);
	t_assert_sv(buf_sv(&b), "Return-Path: <>\n");
	buf_free(&b);
}

static void test_parts(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(deliver_return_path(&b, SV("x@y\r\nBcc: z")), 0);
	assert_int_equal(deliver_address_field(&b, "X-Original-To", SV("x@y\nBcc: z")), 0);
	unsigned lines = 0;
	for (size_t i = 0; i < b.len; i++)
		lines += b.p[i] == '\n';
	assert_int_equal(lines, 2);
	assert_true(sv_starts(buf_sv(&b), SV("Return-Path: <")));
	buf_free(&b);
}

static void test_ceiling(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 20);
	assert_int_equal(deliver_head(&b, SV("long@sender.example"), SV(""), SV("")), -1);
	buf_free(&b);
	buf_init(&b, 20);
	assert_int_equal(deliver_address_field(&b, "Delivered-To", SV("long@recipient.example")), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_ceiling),
	};
	return cmocka_run_group_tests_name("deliver_head", tests, NULL, NULL);
}
