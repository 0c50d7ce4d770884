/* Unit test of lib/server/own_addresses.c: literals need no name service, loopback is on every machine. */
#include "tests/support/t.h"

#include "lib/server/own_addresses.h"

static void listed_addresses_are_own(UNUSED void **state)
{
	static const struct {
		const char *inet, *proxy, *ip;
		bool own;
	} cases[] = {
		{ "192.0.2.1", "", "192.0.2.1", true },
		{ "192.0.2.1", "", "192.0.2.2", false },
		{ "192.0.2.1, [2001:db8::1]", "", "2001:DB8:0::1", true },
		{ "", "198.51.100.7", "198.51.100.7", true },
		{ "192.0.2.1 198.51.100.7", "203.0.113.1", "203.0.113.1", true },
		{ "all", "", "127.0.0.1", true },
		{ "loopback-only", "", "127.0.0.1", true },
		{ "loopback-only", "", "192.0.2.1", false },
		{ "", "", "127.0.0.1", false },
		/* an address of the other family with the same first octets */
		{ "127.0.0.1", "", "7f00:1::", false },
		{ "192.0.2.1", "", "mail.example.test", false },
		{ "192.0.2.1", "", "", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct own_addresses *o = own_addresses_find(cases[i].inet, cases[i].proxy);
		t_case(cases[i].ip);
		assert_int_equal(own_addresses_have(o, sv_z(cases[i].ip)), cases[i].own);
		own_addresses_free(o);
	}
	own_addresses_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(listed_addresses_are_own) };
	return cmocka_run_group_tests_name("own_addresses", tests, NULL, NULL);
}
