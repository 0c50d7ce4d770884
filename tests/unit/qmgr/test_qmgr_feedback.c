/* Unit test of qmgr/qmgr_feedback.c: the forms that main.cf may have, and the steps. */
#include "tests/support/t.h"

#include "qmgr/qmgr_feedback.h"

static const struct {
	const char *text;
	int rc;
	enum feedback_kind kind;
	double base, at_4;
} cases[] = {
	{ "1", 0, FEEDBACK_CONSTANT, 1, 1 },
	{ " 0.25 ", 0, FEEDBACK_CONSTANT, 0.25, 0.25 },
	{ ".5", 0, FEEDBACK_CONSTANT, 0.5, 0.5 },
	{ "0", 0, FEEDBACK_CONSTANT, 0, 0 },
	{ "1/10", 0, FEEDBACK_CONSTANT, 0.1, 0.1 },
	{ "1 / concurrency", 0, FEEDBACK_CONCURRENCY, 1, 0.25 },
	{ "0.5/Concurrency", 0, FEEDBACK_CONCURRENCY, 0.5, 0.125 },
	{ "1/sqrt_concurrency", 0, FEEDBACK_SQRT, 1, 0.5 },
	{ "", -1, 0, 0, 0 },
	{ ".", -1, 0, 0, 0 },
	{ "1.2.3", -1, 0, 0, 0 },
	{ "2", -1, 0, 0, 0 },
	{ "-1", -1, 0, 0, 0 },
	{ "1/", -1, 0, 0, 0 },
	{ "1/0", -1, 0, 0, 0 },
	{ "1/concurrency/2", -1, 0, 0, 0 },
	{ "concurrency", -1, 0, 0, 0 },
	{ "0.00000000000000000001", -1, 0, 0, 0 },
};

static bool same(double a, double b)
{
	return a - b < 1e-12 && b - a < 1e-12;
}

static void forms_and_steps(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct feedback f = { .kind = FEEDBACK_CONSTANT };
		t_case(cases[i].text);
		assert_int_equal(feedback_parse(sv_z(cases[i].text), &f), cases[i].rc);
		if (cases[i].rc < 0)
			continue;
		assert_int_equal(f.kind, cases[i].kind);
		assert_true(same(f.base, cases[i].base));
		assert_true(same(feedback_step(&f, 4), cases[i].at_4));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms_and_steps) };
	return cmocka_run_group_tests_name("qmgr_feedback", tests, NULL, NULL);
}
