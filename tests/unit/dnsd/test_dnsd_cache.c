/* Unit test of dnsd/dnsd_cache.c: life times, least recently used first, ceilings. */
#include "tests/support/t.h"

#include "dnsd/dnsd.h"

static const struct hash_seed seed = { 1, 2 };

static struct dnsd_result *made(int64_t from, int64_t to)
{
	struct dnsd_result *r = result_new(CLNT_DNS_ANSWER, CLNT_DNS_A);
	assert_int_equal(result_add(r, 60, 0, SV("192.0.2.1")), 0);
	r->made_ms = from;
	r->expires_ms = to;
	return r;
}

static void put(struct dnsd_cache *c, const char *key, struct dnsd_result *r)
{
	cache_put(c, sv_z(key), r);
	result_release(r);
}

static bool has(struct dnsd_cache *c, const char *key, int64_t now)
{
	struct dnsd_result *r = cache_get(c, sv_z(key), now);
	result_release(r);
	return r != NULL;
}

static void entries_end_in_time(UNUSED void **state)
{
	struct dnsd_cache c;
	cache_init(&c, seed, 10, 1 << 20);
	put(&c, "a", made(0, 1000));
	assert_true(has(&c, "a", 999));
	assert_false(has(&c, "a", 1000));
	assert_int_equal(c.used.count, 0);
	assert_int_equal(c.octets, 0);
	put(&c, "zero", made(5, 5)); /* TTL 0 */
	assert_false(has(&c, "zero", 5));
	struct dnsd_result *failed = result_failed(CLNT_DNS_A, "no answer");
	int64_t now = failed->made_ms;
	failed->expires_ms = now + 1000;
	put(&c, "failed", failed); /* not kept, and so it is gone */
	assert_false(has(&c, "failed", now));
	cache_fini(&c);
}

static void least_recently_used_goes_first(UNUSED void **state)
{
	struct dnsd_cache c;
	cache_init(&c, seed, 2, 1 << 20);
	put(&c, "a", made(0, 1000));
	put(&c, "b", made(0, 1000));
	assert_true(has(&c, "a", 1));
	put(&c, "c", made(0, 1000));
	assert_true(has(&c, "a", 1));
	assert_false(has(&c, "b", 1));
	assert_true(has(&c, "c", 1));
	put(&c, "c", made(0, 2000)); /* replaced, not doubled */
	assert_int_equal(c.used.count, 2);
	assert_true(has(&c, "c", 1500));
	cache_fini(&c);
}

static void octets_are_bounded(UNUSED void **state)
{
	struct dnsd_cache c;
	char key[32];
	cache_init(&c, seed, 100000, 20000);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		put(&c, key, made(0, 1000));
		assert_true(c.octets <= 20000 || c.used.count == 1);
	}
	assert_true(has(&c, "key999", 1));
	assert_false(has(&c, "key0", 1));
	cache_fini(&c);
}

static void a_result_outlives_its_entry(UNUSED void **state)
{
	struct dnsd_cache c;
	cache_init(&c, seed, 1, 1 << 20);
	put(&c, "a", made(0, 1000));
	struct dnsd_result *held = cache_get(&c, SV("a"), 1);
	put(&c, "b", made(0, 1000));
	t_assert_sv(held->records[0].data, "192.0.2.1");
	result_release(held);
	cache_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_end_in_time),
		cmocka_unit_test(least_recently_used_goes_first),
		cmocka_unit_test(octets_are_bounded),
		cmocka_unit_test(a_result_outlives_its_entry),
	};
	return cmocka_run_group_tests_name("dnsd_cache", tests, NULL, NULL);
}
