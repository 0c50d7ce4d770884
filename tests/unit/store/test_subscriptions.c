/* Unit test of lib/store/subscriptions.c: both forms of Dovecot's file. */
#include "tests/support/t.h"

#include "lib/store/subscriptions.h"

static void add(void *ctx, struct sv name)
{
	(void)buf_printf(ctx, "%.*s|", SV_ARG(name));
}

static const struct {
	const char *text, *names;
} files[] = {
	{ "", "" },
	{ "INBOX\nA.B\n", "INBOX|A.B|" },
	{ "V\t2\n\nINBOX\nA\tB\n", "INBOX|A.B|" },
	{ "A\n../x\n\n.hidden\nB\n", "A|B|" },
	{ "V\t2\n\nno end", "no end|" },
};

static const struct {
	const char *text, *name;
	bool on;
	int rc;
	const char *after;
} changes[] = {
	{ "", "A.B", true, 1, "V\t2\n\nA\tB\n" },
	{ "V\t2\n\nA\tB\n", "A.B", true, 0, NULL },
	{ "V\t2\n\nA\tB\nC\n", "A.B", false, 1, "V\t2\n\nC\n" },
	{ "A.B\n", "C.D", true, 1, "A.B\nC.D\n" },
	{ "A.B\nA.B\n", "A.B", false, 1, "" },
	{ "inbox\n", "INBOX", true, 0, NULL },
	{ "inbox\nX\n", "INBOX", false, 1, "X\n" },
	{ "A\n", "B", false, 0, NULL },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct buf b;
		buf_init(&b, 1000);
		t_case(files[i].text);
		subscriptions_parse(sv_z(files[i].text), add, &b);
		t_assert_sv(buf_sv(&b), files[i].names);
		buf_free(&b);
	}
}

static void test_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct buf b;
		buf_init(&b, 1000);
		t_case(changes[i].text);
		int rc = subscriptions_change(
		        sv_z(changes[i].text), sv_z(changes[i].name), changes[i].on, &b);
		assert_int_equal(rc, changes[i].rc);
		if (rc == 1)
			t_assert_sv(buf_sv(&b), changes[i].after);
		buf_free(&b);
	}
	struct buf small;
	buf_init(&small, 8);
	assert_int_equal(subscriptions_change(SV("A\n"), SV("Long.name"), true, &small), -1);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse),
		cmocka_unit_test(test_change) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
