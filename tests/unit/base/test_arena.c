/* Unit test of lib/base/arena.c. */
#include "tests/support/t.h"
#include "lib/base/arena.h"

static void stops_at_its_ceiling(UNUSED void **state)
{
	struct arena a;
	arena_init(&a, 100);
	assert_non_null(arena_alloc(&a, 50));
	assert_null(arena_alloc(&a, 60));
	assert_true(a.exhausted);
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_free(&a);
	assert_false(a.exhausted);
	assert_non_null(arena_alloc(&a, 60));
	arena_free(&a);
}

static void is_zeroed_again_after_reset(UNUSED void **state)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	for (int round = 0; round < 3; round++) {
		char *p = arena_alloc(&a, 64);
		for (int i = 0; i < 64; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 64);
		assert_non_null(arena_alloc(&a, round == 1 ? 100000 : 10));
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_free(&a);
}

static void copies_text(UNUSED void **state)
{
	struct arena a;
	arena_init(&a, 4096);
	struct sv v = arena_sv(&a, SV("x\0y"));
	assert_int_equal(v.len, 3);
	assert_int_equal(v.p[3], 0);
	assert_string_equal(arena_printf(&a, "%s-%d", "id", 7), "id-7");
	assert_string_equal(arena_strdup(&a, SV_NONE), "");
	assert_null(arena_sv(&a, sv_n("", 0)).len ? "" : NULL);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(stops_at_its_ceiling),
		cmocka_unit_test(is_zeroed_again_after_reset), cmocka_unit_test(copies_text) };
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
