/* Unit test of lib/queue/queue_id.c. */
#include "tests/support/t.h"
#include "lib/queue/queue_id.h"

static const struct {
	const char *id;
	size_t len;
	bool valid;
} cases[] = {
	{ L("4Pt2mN2VXxznjllB"), true },
	{ L("012345"), true },
	{ L("01234"), false },                              /* too short */
	{ L("0123456789012345678901234567890"), true },     /* 31 */
	{ L("01234567890123456789012345678901"), false },   /* 32 */
	{ L("AAAAAA"), false },                             /* vowels are no digits */
	{ L("..4567"), false },
	{ L("1/2345"), false },
	{ L("12345\0"), false },
	{ L(""), false },
};

static void checks_ids(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].id);
		assert_int_equal(queue_id_valid(sv_n(cases[i].id, cases[i].len)), cases[i].valid);
	}
}

static void made_ids_are_valid_and_keep_time(UNUSED void **state)
{
	static const int64_t times[] = { 1, 1795420800123456, 1795420800999999, 4102444800000000 };
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char a[QUEUE_ID_MAX + 1], b[QUEUE_ID_MAX + 1];
		queue_id_make(times[i], a);
		queue_id_make(times[i], b);
		assert_true(queue_id_valid(sv_z(a)));
		assert_int_equal(queue_id_time_us(sv_z(a)), times[i]);
		assert_string_not_equal(a, b);
	}
	assert_int_equal(queue_id_time_us(sv_z("012345")), 0);
}

static void ids_sort_by_time(UNUSED void **state)
{
	char a[QUEUE_ID_MAX + 1], b[QUEUE_ID_MAX + 1];
	queue_id_make(1795420800999999, a);
	queue_id_make(1795420801000000, b);
	assert_true(strcmp(a, b) < 0);
}

/* Known ids of earlier versions: their files must be found where they lie. */
static void hash_is_what_it_was(UNUSED void **state)
{
	static const struct {
		const char *id;
		char hash;
	} known[] = { { "4Pt2mN2VXxznjllB", 'A' }, { "012345", '6' }, { "5dkQZn0bcDz1234567", '9' } };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_int_equal(queue_id_hash(sv_z(known[i].id)), known[i].hash);
}

static void a_quarter_second_shares_a_directory(UNUSED void **state)
{
	static const int64_t start = 1795420800000000, quarter = 250000;
	char seen[17] = { 0 };
	for (int64_t q = 0; q < 32; q++) {
		char first[QUEUE_ID_MAX + 1], id[QUEUE_ID_MAX + 1];
		queue_id_make(start + q * quarter, first);
		char h = queue_id_hash(sv_z(first));
		assert_non_null(strchr("0123456789ABCDEF", h));
		for (int64_t us = 0; us < quarter; us += 4999) {
			queue_id_make(start + q * quarter + us, id);
			assert_true(queue_id_valid(sv_z(id)));
			assert_int_equal(queue_id_time_us(sv_z(id)), start + q * quarter + us);
			assert_int_equal(queue_id_hash(sv_z(id)), h);
		}
		/* all sixteen take their turn */
		assert_int_equal(strchr(seen, h) != NULL, q >= 16);
		if (q < 16)
			seen[q] = h;
	}
}

static void ids_of_one_microsecond_differ(UNUSED void **state)
{
	static char ids[2000][QUEUE_ID_MAX + 1];
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		queue_id_make(1795420800000000, ids[i]);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_ids),
		cmocka_unit_test(made_ids_are_valid_and_keep_time),
		cmocka_unit_test(ids_sort_by_time),
		cmocka_unit_test(hash_is_what_it_was),
		cmocka_unit_test(a_quarter_second_shares_a_directory),
		cmocka_unit_test(ids_of_one_microsecond_differ),
	};
	return cmocka_run_group_tests_name("queue_id", tests, NULL, NULL);
}
