/* Unit test of cleanup/cleanup_masquerade.c: a table of domains. */
#include "tests/support/t.h"

#include "cleanup/cleanup_masquerade.h"

static const struct {
	const char *domain, *domains, *want;
} cases[] = {
	{ "a.example.com", "example.com", "example.com" },
	{ "a.b.Example.com", " , example.com", "Example.com" },
	{ "example.com", "example.com", "example.com" },
	{ "badexample.com", "example.com", "badexample.com" },
	{ ".example.com", "example.com", ".example.com" },
	{ "a.example.com", "", "a.example.com" },
	{ "a.example.com", "!, ,", "a.example.com" },
	/* the first one that fits decides */
	{ "x.foo.example.com", "foo.example.com example.com", "foo.example.com" },
	{ "x.foo.example.com", "example.com foo.example.com", "example.com" },
	{ "foo.example.com", "foo.example.com example.com", "foo.example.com" },
	{ "x.foo.example.com", "!foo.example.com,example.com", "x.foo.example.com" },
	{ "foo.example.com", "!foo.example.com,example.com", "foo.example.com" },
	{ "x.bar.example.com", "!foo.example.com,example.com", "example.com" },
	{ "x.foo.example.com", "!!foo.example.com", "foo.example.com" },
};

static void domains_vanish(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].domain);
		t_assert_sv(masquerade_domain(sv_z(cases[i].domain), cases[i].domains), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(domains_vanish) };
	return cmocka_run_group_tests_name("cleanup_masquerade", tests, NULL, NULL);
}
