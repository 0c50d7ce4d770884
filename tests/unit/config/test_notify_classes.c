/* Unit test of lib/config/notify_classes.c. */
#include "lib/config/notify_classes.h"
#include "tests/support/t.h"

static void parses(UNUSED void **state)
{
	static const struct {
		const char *text;
		unsigned bits;
	} cases[] = {
		{ "", 0 },
		{ " , ,", 0 },
		{ "resource, software", NOTIFY_CLASS_RESOURCE | NOTIFY_CLASS_SOFTWARE },
		{ "Policy protocol,DATA\tdelay",
			NOTIFY_CLASS_POLICY | NOTIFY_CLASS_PROTOCOL | NOTIFY_CLASS_DATA | NOTIFY_CLASS_DELAY },
		{ "2bounce", NOTIFY_CLASS_2BOUNCE },
		{ "bounce", NOTIFY_CLASS_BOUNCE | NOTIFY_CLASS_2BOUNCE },
	};
	struct err e = ERR_INIT;
	unsigned bits;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].text);
		assert_int_equal(notify_classes_parse(cases[i].text, &bits, &e), 0);
		assert_int_equal(bits, cases[i].bits);
	}
	assert_int_equal(notify_classes_parse("bounce, all", &bits, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_non_null(strstr(e.text, "\"all\" is none of bounce"));
}

static void names(UNUSED void **state)
{
	assert_string_equal(notify_class_name(NOTIFY_CLASS_2BOUNCE), "2bounce");
	assert_string_equal(notify_class_name(NOTIFY_CLASS_SOFTWARE | NOTIFY_CLASS_POLICY), "policy");
	assert_string_equal(notify_class_name(0), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parses), cmocka_unit_test(names) };
	return cmocka_run_group_tests_name("notify_classes", tests, NULL, NULL);
}
