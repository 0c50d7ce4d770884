/* Unit test of lib/mail/header_rewrite.c: "x" becomes "X", everything else stays octet by octet. */
#include "tests/support/t.h"

#include "lib/mail/header_rewrite.h"

static int to_capital(void *ctx, struct sv *addr, struct arena *a, struct err *e)
{
	size_t *calls = ctx;
	++*calls;
	if (sv_eqz(*addr, "fail@a.test"))
		return err_set(e, ERR_TEMP, "the table is broken");
	if (!sv_starts(*addr, SV("x")))
		return 0;
	char *z = arena_printf(a, "X Y%.*s", SV_ARG(sv_from(*addr, 1)));
	if (!z)
		return 0;
	*addr = sv_z(z);
	return 1;
}

static const struct {
	const char *head, *want; /* want NULL: failed */
	size_t calls;
} cases[] = {
	{ "", "", 0 },
	{ "Subject: x@a.test\n", "Subject: x@a.test\n", 0 },
	{ "From: x@a.test\n", "From: \"X Y\"@a.test\n", 1 },
	{ "From: x@a.test\r\n", "From: \"X Y\"@a.test\r\n", 1 },
	{ "from :  Full Name <x@a.test>  \n", "from :  Full Name <\"X Y\"@a.test>  \n", 1 },
	{ "To: b@a.test (who),\n \"x\" <x>,\r\n c: x@b.test;\nX-To: x\n",
		"To: b@a.test (who),\n \"x\" <\"X Y\">,\r\n c: \"X Y\"@b.test;\nX-To: x\n", 3 },
	{ "Resent-Cc: x@a.test\nReceived: from x@a.test\nCc: b\n",
		"Resent-Cc: \"X Y\"@a.test\nReceived: from x@a.test\nCc: b\n", 2 },
	{ "To: <>, undisclosed-recipients:;\n", "To: <>, undisclosed-recipients:;\n", 0 },
	{ "To: \"unended\n", "To: \"unended\n", 0 },
	{ "To: x@a.test", "To: \"X Y\"@a.test", 1 },
	{ "To: x@a.test, fail@a.test\n", NULL, 2 },
};

static void addresses_are_replaced(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		struct err e = ERR_INIT;
		size_t calls = 0;
		buf_init(&out, 10000);
		t_case(cases[i].head);
		int rc = header_rewrite(sv_z(cases[i].head), 1000, to_capital, &calls, &out, &e);
		assert_int_equal(rc, cases[i].want ? 0 : -1);
		if (cases[i].want)
			t_assert_sv(buf_sv(&out), cases[i].want);
		if (cases[i].calls > 0)
			assert_int_equal(calls, cases[i].calls);
		buf_free(&out);
	}
}

static void the_ceiling_is_an_error(UNUSED void **state)
{
	static const char *const heads[] = { "Subject: longer than sixteen\n", "From: x@longer.than.sixteen\n" };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct buf out;
		struct err e = ERR_INIT;
		size_t calls = 0;
		buf_init(&out, 16);
		assert_int_equal(header_rewrite(sv_z(heads[i]), 100, to_capital, &calls, &out, &e), -1);
		assert_int_equal(e.cls, ERR_TEMP);
		buf_free(&out);
	}
}

/* What was not looked at is not lost. */
static void fields_with_too_many_tokens_stay_whole(UNUSED void **state)
{
	struct buf head, out;
	struct err e = ERR_INIT;
	size_t calls = 0;
	buf_init(&head, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_puts(&head, "To: x@a.test");
	for (int i = 0; i < 1000; i++)
		buf_printf(&head, ",\n b%d@a.test", i);
	buf_puts(&head, "\n");
	assert_int_equal(header_rewrite(buf_sv(&head), 50, to_capital, &calls, &out, &e), 0);
	assert_true(calls > 0 && calls < 50);
	assert_true(sv_starts(buf_sv(&out), SV("To: \"X Y\"@a.test,\n b0@a.test")));
	assert_true(sv_ends(buf_sv(&out), SV(",\n b999@a.test\n")));
	assert_int_equal(out.len, head.len + 4);
	buf_free(&head);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_replaced),
		cmocka_unit_test(the_ceiling_is_an_error),
		cmocka_unit_test(fields_with_too_many_tokens_stay_whole),
	};
	return cmocka_run_group_tests_name("header_rewrite", tests, NULL, NULL);
}
