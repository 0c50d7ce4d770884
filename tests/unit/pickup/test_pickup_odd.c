/* Unit test of pickup/pickup_odd.c. */
#include "tests/support/t.h"

#include <stdio.h>

#include "pickup/pickup_odd.h"

static void a_name_is_told_of_once(UNUSED void **state)
{
	struct pickup_odd o;
	pickup_odd_init(&o, (struct hash_seed){ 1, 2 });
	assert_true(pickup_odd_note(&o, SV("core")));
	assert_false(pickup_odd_note(&o, SV("core"))); /* a directory may show a name twice */
	assert_int_equal(pickup_odd_end(&o, true), 0);
	assert_false(pickup_odd_note(&o, SV("core")));
	assert_true(pickup_odd_note(&o, SV("other")));
	assert_int_equal(pickup_odd_end(&o, false), 0); /* broken off: nothing is forgotten */
	assert_int_equal(pickup_odd_end(&o, false), 0);
	assert_false(pickup_odd_note(&o, SV("core")));
	assert_int_equal(pickup_odd_end(&o, true), 0); /* the other is gone */
	assert_false(pickup_odd_note(&o, SV("core")));
	assert_true(pickup_odd_note(&o, SV("other")));
	pickup_odd_fini(&o);
}

static bool note_nth(struct pickup_odd *o, int n)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "name%d", n);
	return pickup_odd_note(o, sv_n(name, (size_t)len));
}

static void no_more_than_so_many(UNUSED void **state)
{
	struct pickup_odd o;
	pickup_odd_init(&o, (struct hash_seed){ 1, 2 });
	for (int scan = 0; scan < 3; scan++) {
		int told = 0;
		for (int i = 0; i < PICKUP_ODD_MAX + 500; i++)
			told += note_nth(&o, i);
		assert_int_equal(told, scan == 0 ? PICKUP_ODD_MAX : 0);
		assert_int_equal(o.told.count, PICKUP_ODD_MAX);
		assert_int_equal(pickup_odd_end(&o, true), scan == 0 ? 500 : 0);
	}
	/* half of them goes: there is room again, and what was not listed is told of */
	for (int i = PICKUP_ODD_MAX / 2; i < PICKUP_ODD_MAX; i++)
		(void)note_nth(&o, i);
	assert_int_equal(pickup_odd_end(&o, true), 0);
	int told = 0;
	for (int i = PICKUP_ODD_MAX; i < PICKUP_ODD_MAX + 400; i++)
		told += note_nth(&o, i);
	assert_int_equal(told, 400);
	assert_int_equal(pickup_odd_end(&o, true), 0);
	pickup_odd_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_told_of_once),
		cmocka_unit_test(no_more_than_so_many),
	};
	return cmocka_run_group_tests_name("pickup_odd", tests, NULL, NULL);
}
