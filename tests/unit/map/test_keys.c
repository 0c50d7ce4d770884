/* Unit test of lib/map/keys.c: the orders of canonical(5), virtual(5), transport(5), access(5). */
#include "tests/support/t.h"
#include "lib/map/keys.h"

static const char *shown(const struct map_keys *k)
{
	static char text[4096];
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < k->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s%s%s", i ? " " : "",
				      SV_ARG(k->v[i].key), k->v[i].partial ? "?" : "",
				      k->v[i].no_ext ? "-" : "");
	return text;
}

static const struct {
	const char *address;
	struct map_key_rules rules;
	const char *want, *ext;
} cases[] = {
	{ "u+e@d.example", { "+", true, false, false, false, false },
	  "u+e@d.example u@d.example?- @d.example?", "+e" },
	{ "u+e@d.example", { "+", true, true, false, false, false },
	  "u+e@d.example u@d.example?- u+e? u?- @d.example?", "+e" },
	{ "u+e@d", { "", true, true, false, false, false }, "u+e@d u+e? @d?", "" },
	{ "u+e@d", { NULL, true, true, true, false, false }, "u+e@d u+e?", "" },
	{ "u-e@d", { "+-", false, false, false, false, false }, "u-e@d u@d?- @d?", "-e" },
	{ "owner-l@d", { "-", true, false, false, false, false }, "owner-l@d @d?", "" },
	{ "l-request@d", { "-", true, false, false, false, false }, "l-request@d @d?", "" },
	{ "u+e", { "+", true, true, false, false, false }, "u+e u?-", "+e" },
	{ "u", { "+", true, true, false, false, false }, "u", "" },
	{ "a@b@c", { "+", true, false, false, false, false }, "a@b@c @c?", "" },
	{ "u+e@a.b.c", { "+", true, false, false, true, false },
	  "u+e@a.b.c u@a.b.c?- a.b.c? .b.c? .c? u+e@? u@?-", "+e" },
	{ "u@a.b.c", { "+", true, false, false, true, true }, "u@a.b.c a.b.c? b.c? c? u@?", "" },
	{ "u@[1.2.3.4]", { "+", true, false, false, true, true },
	  "u@[1.2.3.4] [1.2.3.4]? u@?", "" },
	{ "", { "+", true, true, false, false, false }, "", "" },
};

static void addresses(UNUSED void **state)
{
	struct map_keys k;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].address);
		map_keys_addr(&k, sv_z(cases[i].address), &cases[i].rules);
		t_assert_sv(sv_z(shown(&k)), cases[i].want);
		t_assert_sv(k.ext, cases[i].ext);
	}
}

static void the_extension_of_a_bare_match_is_known(UNUSED void **state)
{
	struct map_key_rules rules = { .delimiters = "+" };
	struct map_keys k;
	map_keys_addr(&k, SV("u+e@d"), &rules);
	t_assert_sv(map_keys_unmatched_ext(&k, 0), "");
	t_assert_sv(map_keys_unmatched_ext(&k, 1), "+e");
	t_assert_sv(map_keys_unmatched_ext(&k, 2), "");
	t_assert_sv(map_keys_unmatched_ext(&k, 99), "");
}

static void transports_domains_and_ips(UNUSED void **state)
{
	struct map_key_rules rules = { .delimiters = "+" };
	struct map_keys k;
	map_keys_transport(&k, SV("u+e@a.b.c"), &rules);
	assert_string_equal(shown(&k), "u+e@a.b.c u@a.b.c?- a.b.c? .b.c? .c? *?");
	map_keys_domain(&k, SV("a.b.c"), false);
	assert_string_equal(shown(&k), "a.b.c .b.c? .c?");
	map_keys_domain(&k, SV("a.b.c"), true);
	assert_string_equal(shown(&k), "a.b.c b.c? c?");
	map_keys_domain(&k, SV("."), true);
	assert_string_equal(shown(&k), ".");
	map_keys_domain(&k, SV(""), true);
	assert_string_equal(shown(&k), "");
	map_keys_ip(&k, SV("10.1.2.3"));
	assert_string_equal(shown(&k), "10.1.2.3 10.1.2? 10.1? 10?");
	map_keys_ip(&k, SV("2001:db8::1"));
	assert_string_equal(shown(&k), "2001:db8::1 2001:db8:? 2001:db8? 2001?");
}

static void length_and_number_are_bounded(UNUSED void **state)
{
	static char longest[MAP_KEYS_ADDR_MAX + 2];
	struct map_key_rules rules = { .delimiters = "+", .with_domain = true };
	struct map_keys k;
	memset(longest, 'a', sizeof(longest) - 1);
	map_keys_addr(&k, sv_z(longest), &rules);
	assert_int_equal(k.n, 0);
	for (size_t i = 0; i < sizeof(longest) - 2; i++)
		longest[i] = i == 1 ? '+' : i == 3 ? '@' : i % 2 ? '.' : 'x';
	map_keys_addr(&k, sv_n(longest, MAP_KEYS_ADDR_MAX), &rules);
	assert_int_equal(k.n, MAP_KEYS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(the_extension_of_a_bare_match_is_known),
		cmocka_unit_test(transports_domains_and_ips),
		cmocka_unit_test(length_and_number_are_bounded),
	};
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
