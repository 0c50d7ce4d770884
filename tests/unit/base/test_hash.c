/* Unit test of lib/base/hash.c: SipHash's published vector, and the table. */
#include "tests/support/t.h"
#include "lib/base/hash.h"

static void sip_vector(UNUSED void **state)
{
	/* key 00..0f, input 00..0e: the example of the SipHash paper */
	struct hash_seed seed = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	unsigned char in[15];
	for (unsigned char i = 0; i < sizeof(in); i++)
		in[i] = i;
	assert_true(hash_sip(seed, in, sizeof(in)) == 0xa129ca6149be45e5u);
	assert_true(hash_sip(seed, in, 8) != hash_sip(seed, in, 7));
}

static void keeps_and_forgets(UNUSED void **state)
{
	struct htab t;
	char key[16];
	int values[1000];

	htab_init(&t, (struct hash_seed){ 1, 2 });
	assert_null(htab_get(&t, SV("x")));
	assert_null(htab_del(&t, SV("x")));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_null(htab_set(&t, sv_z(key), &values[i]));
	}
	assert_int_equal(t.count, 1000);
	assert_ptr_equal(htab_set(&t, SV("key7"), &values[0]), &values[7]);
	assert_ptr_equal(htab_get(&t, SV("key7")), &values[0]);
	assert_ptr_equal(htab_get(&t, SV("key999")), &values[999]);
	assert_null(htab_get(&t, SV("key")));
	size_t seen = 0;
	HTAB_FOREACH(&t, e)
	{
		assert_non_null(e->value);
		seen++;
	}
	assert_int_equal(seen, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_non_null(htab_del(&t, sv_z(key)));
	}
	assert_int_equal(t.count, 0);
	HTAB_FOREACH(&t, e)
	{
		fail_msg("an empty table has entry %s", e->key);
	}
	htab_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(sip_vector),
		cmocka_unit_test(keeps_and_forgets) };
	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
