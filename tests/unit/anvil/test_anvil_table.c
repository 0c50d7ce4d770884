/* Unit test of anvil/anvil_table.c: windows, open connections, death of a client process, the bound. */
#include "tests/support/t.h"

#include "anvil/anvil_table.h"

static const struct hash_seed seed = { 1, 2 };
static struct anvil_table table;
static struct anvil_peer a, b;

static int setup(void **state)
{
	(void)state;
	anvil_table_init(&table, seed, 3, 60000);
	anvil_peer_init(&a, &table, seed);
	anvil_peer_init(&b, &table, seed);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	anvil_peer_free(&a);
	anvil_peer_free(&b);
	anvil_table_free(&table);
	return 0;
}

static struct anvil_counts at(struct anvil_peer *p, enum anvil_kind kind, const char *address, int64_t now)
{
	return anvil_event(p, kind, SV("smtp"), sv_z(address), now, 1000 + now / 1000);
}

static void is(struct anvil_counts got, uint32_t concurrency, uint32_t rate)
{
	assert_int_equal(got.concurrency, concurrency);
	assert_int_equal(got.rate, rate);
}

static void test_counts(void **state)
{
	(void)state;
	is(at(&a, ANVIL_CONNECT, "1.2.3.4", 0), 1, 1);
	is(at(&b, ANVIL_CONNECT, "1.2.3.4", 1), 2, 2);
	is(at(&a, ANVIL_CONNECT, "::1", 2), 1, 1);
	is(at(&a, ANVIL_MESSAGE, "1.2.3.4", 3), 2, 1);
	is(at(&a, ANVIL_MESSAGE, "1.2.3.4", 4), 2, 2);
	is(at(&a, ANVIL_RECIPIENT, "1.2.3.4", 5), 2, 1);
	is(at(&a, ANVIL_DISCONNECT, "1.2.3.4", 6), 1, 1);
	is(at(&b, ANVIL_DISCONNECT, "1.2.3.4", 7), 0, 2);
	/* one too many is no underflow */
	is(at(&b, ANVIL_DISCONNECT, "1.2.3.4", 8), 0, 3);
	assert_int_equal(table.concurrency_peak.value, 2);
	assert_string_equal(table.concurrency_peak.who, "smtp:1.2.3.4");
	assert_int_equal(table.rate_peaks[ANVIL_CONNECT].value, 2);
	assert_int_equal(table.size_peak.value, 2);
}

static void test_window(void **state)
{
	(void)state;
	is(at(&a, ANVIL_CONNECT, "1.2.3.4", 0), 1, 1);
	is(at(&a, ANVIL_CONNECT, "1.2.3.4", 59999), 2, 2);
	/* rates begin anew, open connections stay */
	is(at(&a, ANVIL_CONNECT, "1.2.3.4", 60000), 3, 1);
	anvil_table_expire(&table, 200000);
	assert_int_equal(anvil_table_size(&table), 1);
	for (int i = 0; i < 3; i++)
		at(&a, ANVIL_DISCONNECT, "1.2.3.4", 200000);
	anvil_table_expire(&table, 300000);
	assert_int_equal(anvil_table_size(&table), 0);
}

static void test_client_process_dies(void **state)
{
	(void)state;
	at(&a, ANVIL_CONNECT, "1.2.3.4", 0);
	at(&a, ANVIL_CONNECT, "1.2.3.4", 0);
	is(at(&b, ANVIL_CONNECT, "1.2.3.4", 0), 3, 3);
	anvil_peer_free(&a);
	is(at(&b, ANVIL_CONNECT, "1.2.3.4", 1), 2, 4);
	anvil_peer_init(&a, &table, seed);
}

static void test_bound(void **state)
{
	(void)state;
	is(at(&a, ANVIL_CONNECT, "1", 0), 1, 1);
	is(at(&a, ANVIL_MESSAGE, "2", 1), 0, 1);
	is(at(&a, ANVIL_CONNECT, "3", 2), 1, 1);
	is(at(&a, ANVIL_CONNECT, "4", 3), 1, 1); /* "2" made room */
	assert_int_equal(anvil_table_size(&table), 3);
	is(at(&a, ANVIL_CONNECT, "5", 4), 1, 1); /* nobody can: not counted */
	is(at(&a, ANVIL_CONNECT, "5", 5), 1, 1);
	assert_int_equal(anvil_table_size(&table), 3);
	is(at(&a, ANVIL_DISCONNECT, "5", 6), 1, 1);
}

static void test_long_names(void **state)
{
	char name[1000];
	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	is(at(&a, ANVIL_CONNECT, name, 0), 1, 1);
	is(at(&a, ANVIL_CONNECT, name, 0), 2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_process_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_names, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
