/* Unit test of lib/base/sv.c. */
#include "tests/support/t.h"
#include "lib/base/attr.h"

static void compares(UNUSED void **state)
{
	assert_true(sv_eq(SV("a\0b"), sv_n("a\0b", 3)));
	assert_false(sv_eq(SV("a\0b"), SV("a\0c")));
	assert_true(sv_eq(sv_n(NULL, 0), SV_NONE));
	assert_true(sv_ieq(SV("EhLo"), SV("eHlO")));
	assert_false(sv_ieq(SV("\xc4"), SV("\xe4"))); /* ASCII only */
	assert_true(sv_cmp(SV("a"), SV("ab")) < 0);
	assert_true(sv_cmp(SV("\xff"), SV("a")) > 0);
	assert_true(sv_icmp(SV("B"), SV("a")) > 0);
	assert_true(sv_istarts(SV("Mail From"), SV("MAIL")));
	assert_false(sv_starts(SV("MA"), SV("MAIL")));
	assert_true(sv_iends(SV("x.EXAMPLE"), SV(".example")));
}

static void finds(UNUSED void **state)
{
	assert_int_equal(sv_chr(SV("a@b@c"), '@'), 1);
	assert_int_equal(sv_rchr(SV("a@b@c"), '@'), 3);
	assert_int_equal(sv_chr(SV_NONE, '@'), -1);
	assert_int_equal(sv_find(SV("abcabd"), SV("abd")), 3);
	assert_int_equal(sv_find(SV("ab"), SV("abc")), -1);
	assert_int_equal(sv_ifind(SV("xxAbC"), SV("aBc")), 2);
	assert_int_equal(sv_find(SV("x"), SV_NONE), 0);
}

static void takes_apart(UNUSED void **state)
{
	struct sv rest = SV("  one\ttwo  "), line;
	t_assert_sv(sv_take_word(&rest), "one");
	t_assert_sv(rest, "two  ");
	t_assert_sv(sv_take_word(&rest), "two");
	t_assert_sv(sv_take_word(&rest), "");
	rest = SV("k=v=w");
	t_assert_sv(sv_take_until(&rest, '='), "k");
	t_assert_sv(rest, "v=w");
	rest = SV("nothing");
	t_assert_sv(sv_take_until(&rest, '='), "nothing");
	assert_true(sv_empty(rest));
	rest = SV("a\r\nb\n\nlast");
	const char *want[] = { "a", "b", "", "last" };
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(sv_take_line(&rest, &line));
		t_assert_sv(line, want[i]);
	}
	assert_false(sv_take_line(&rest, &line));
	t_assert_sv(sv_trim(SV(" \r\n x y\t")), "x y");
	t_assert_sv(sv_sub(SV("abc"), 1, 99), "bc");
	t_assert_sv(sv_from(SV("abc"), 99), "");
}

static void copies(UNUSED void **state)
{
	char four[4];
	assert_int_equal(sv_copyz(SV("abc"), four, sizeof(four)), 0);
	assert_string_equal(four, "abc");
	assert_int_equal(sv_copyz(SV("abcd"), four, sizeof(four)), -1);
	assert_int_equal(sv_copyz(SV("a\0b"), four, sizeof(four)), -1);
	assert_true(sv_is_print(SV("~ !")));
	assert_false(sv_is_print(SV("\x7f")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(compares), cmocka_unit_test(finds),
		cmocka_unit_test(takes_apart), cmocka_unit_test(copies) };
	return cmocka_run_group_tests_name("sv", tests, NULL, NULL);
}
