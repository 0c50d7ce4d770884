/* Unit test of auth/auth_penalty.c: who waits how long. */
#include "auth/auth_penalty.h"

#include "tests/support/t.h"

static const struct hash_seed seed = { 1, 2 };

static void grows_and_ends(UNUSED void **state)
{
	static const int64_t want[] = { 0, 2000, 4000, 8000, 15000, 15000 };
	struct auth_penalty *p = auth_penalty_new(seed, 10);
	struct sv a = SV("192.0.2.1");

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(auth_penalty_ms(p, a, 1000), want[i]);
		auth_penalty_failed(p, a, 1000);
	}
	assert_int_equal(auth_penalty_ms(p, SV("192.0.2.2"), 1000), 0);
	assert_int_equal(auth_penalty_ms(p, a, 1000 + 16 * 60 * 1000), 0);
	/* a failure after the pause starts at the beginning */
	auth_penalty_failed(p, a, 1000 + 16 * 60 * 1000);
	assert_int_equal(auth_penalty_ms(p, a, 1000 + 16 * 60 * 1000), 2000);
	auth_penalty_passed(p, a);
	assert_int_equal(auth_penalty_ms(p, a, 1000 + 16 * 60 * 1000), 0);
	auth_penalty_free(p);
}

static void counts_networks(UNUSED void **state)
{
	static const struct {
		const char *failed, *asked;
		bool same;
	} cases[] = {
		{ "2001:db8::1", "2001:db8::2", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.3", false },
		{ "127.0.0.1", "127.0.0.1", false }, /* loopback never waits */
		{ "::1", "::1", false },
		{ "::ffff:127.0.0.2", "::ffff:127.0.0.2", false },
		{ "unknown", "unknown", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_penalty *p = auth_penalty_new(seed, 10);

		t_case(cases[i].failed);
		auth_penalty_failed(p, sv_z(cases[i].failed), 5);
		assert_int_equal(auth_penalty_ms(p, sv_z(cases[i].asked), 6) > 0, cases[i].same);
		auth_penalty_free(p);
	}
}

static void has_a_ceiling(UNUSED void **state)
{
	struct auth_penalty *p = auth_penalty_new(seed, 3);
	static const char *const a[] = { "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3",
		"192.0.2.4" };

	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		auth_penalty_failed(p, sv_z(a[i]), (int64_t)i);
	assert_int_equal(auth_penalty_count(p), 3);
	assert_int_equal(auth_penalty_ms(p, SV("192.0.2.2"), 9), 0); /* failed longest ago */
	assert_int_equal(auth_penalty_ms(p, SV("192.0.2.1"), 9), 4000);
	auth_penalty_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_ends),
		cmocka_unit_test(counts_networks),
		cmocka_unit_test(has_a_ceiling),
	};
	return cmocka_run_group_tests_name("auth_penalty", tests, NULL, NULL);
}
