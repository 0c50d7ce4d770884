/* Unit test of lib/store/mbox_locks.c: the words of mailbox_delivery_lock and virtual_mailbox_lock. */
#include "lib/store/mbox_append.h"
#include "tests/support/t.h"

static const struct {
	const char *list;
	int rc;
	unsigned locks;
} cases[] = {
	{ "", 0, 0 },
	{ "fcntl", 0, MBOX_LOCK_FCNTL },
	{ "fcntl, dotlock", 0, MBOX_LOCK_FCNTL | MBOX_LOCK_DOT },
	{ " FLOCK\tlockf ,,", 0, MBOX_LOCK_FLOCK | MBOX_LOCK_FCNTL },
	{ "dotlock, fnctl", -1, 0 },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		unsigned out = 99;
		assert_int_equal(mbox_locks_parse("x_lock", cases[i].list, &out, &e), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(out, cases[i].locks);
		else
			assert_string_equal(e.text, "x_lock: unknown word \"fnctl\"");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
