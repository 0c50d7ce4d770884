/* Unit test of lib/map/maps.c without a proxymap: order of tables and keys, failures. */
#include "tests/support/t.h"
#include "lib/map/maps.h"

static struct maps *list(const char *text)
{
	struct err e = ERR_INIT;
	struct maps *m = maps_open("virtual_alias_maps", text, NULL, 0, &e);
	if (!m)
		fail_msg("%s", e.text);
	return m;
}

static const struct {
	const char *list, *address;
	int rc;
	size_t which;
	const char *value;
} cases[] = {
	{ "", "u+e@d", 0, 0, "" },
	{ "inline:{u@d=1, @d=2}", "u+e@d", 1, 1, "1" },
	{ "inline:{@d=2}", "u+e@d", 1, 2, "2" },
	/* the whole address in the second table comes before "@domain" in the first */
	{ "inline:{@d=2} inline:{u+e@d=whole}", "u+e@d", 1, 0, "whole" },
	{ "inline:{u@d=1}, inline:{u@d=second}", "u@d", 1, 0, "1" },
	/* patterns see whole addresses only */
	{ "regexp:{{/^u@d$/ bare}}", "u+e@d", 0, 0, "" },
	{ "regexp:{{/^u.*@d$/ $1x}} regexp:{{/^u.*@d$/ x}}", "u+e@d", 1, 0, "x" },
	{ "inline:{u@d=1} fail:x", "u@d", 1, 0, "1" },
	{ "inline:{u@d=1} fail:x", "u+e@d", -1, 0, "" },
	{ "fail:x inline:{u@d=1}", "u@d", -1, 0, "" },
	{ "inline:{x=y} nosuch:type", "u@d", -1, 0, "" },
};

static void keys_before_tables(UNUSED void **state)
{
	struct map_key_rules rules = { .delimiters = "+" };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		struct map_keys keys;
		struct buf value;
		size_t which = 0;
		struct maps *m = list(cases[i].list);
		buf_init(&value, MAP_VALUE_MAX);
		t_case(cases[i].list);
		map_keys_addr(&keys, sv_z(cases[i].address), &rules);
		int rc = maps_find_keys(m, &keys, &value, &which, &e);
		if (rc != cases[i].rc)
			fail_msg("[%s]: %d %s", cases[i].list, rc, e.text);
		t_assert_sv(buf_sv(&value), cases[i].value);
		if (rc == 1)
			assert_int_equal(which, cases[i].which);
		if (rc < 0)
			assert_int_equal(strncmp(e.text, "virtual_alias_maps: ", 20), 0);
		buf_free(&value);
		maps_free(m);
	}
}

static void lists_know_themselves(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct buf value;
	struct maps *m = list("static:{a b}, inline:{ x=1 }");
	buf_init(&value, 100);
	assert_false(maps_empty(m));
	assert_string_equal(maps_title(m), "virtual_alias_maps");
	assert_int_equal(maps_check(m, &e), 0);
	assert_int_equal(maps_find(m, SV("k"), &value, &e), 1);
	t_assert_sv(buf_sv(&value), "a b");
	assert_string_equal(maps_last(m), "static:{a b}");
	maps_free(m);
	m = list("inline:{broken}");
	assert_int_equal(maps_check(m, &e), -1);
	maps_free(m);
	assert_null(maps_open("x", "inline:{a=b", NULL, 0, &e));
	buf_free(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_before_tables),
		cmocka_unit_test(lists_know_themselves),
	};
	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
