/* Unit test of lib/config/expand.c; the expected texts were checked against Postfix 3.7. */
#include "tests/support/t.h"
#include "lib/config/expand.h"

static int lookup(UNUSED void *arg, struct sv name, struct sv *out, UNUSED struct err *e)
{
	static const struct {
		const char *name, *value;
	} values[] = { { "aa", "AA" }, { "bb", "$aa" }, { "empty", "" }, { "num", "10" },
		       { "self", "x$self" }, { "broken", "${aa" }, { "dollar", "$$aa" } };
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (sv_eqz(name, values[i].name)) {
			*out = sv_z(values[i].value);
			return 1;
		}
	}
	return 0;
}

static const struct {
	const char *text, *want; /* NULL: an error */
} cases[] = {
	{ "", "" }, { "plain", "plain" }, { "$aa-x", "AA-x" }, { "$aa.x", "AA.x" },
	{ "${aa}x", "AAx" }, { "$(aa)x", "AAx" }, { "|${ aa }|", "|AA|" }, { "$bb", "AA" },
	{ "$nosuch|", "|" }, { "$$aa", "$aa" }, { "$bb$$x", "AA$x" }, { "$dollar", "$aa" },
	{ "$", NULL }, { "a $ b", NULL }, { "${aa", NULL }, { "$(aa}", NULL }, { "${}", NULL },
	{ "$()", NULL }, { "${a-a}", NULL }, { "${aa.b}", NULL }, { "$[aa]", NULL },
	{ "${aa?yes}", "yes" }, { "|${aa? yes }|", "| yes |" }, { "|${aa?{ yes }}|", "| yes |" },
	{ "${empty?yes}", "" }, { "${nosuch?yes}", "" }, { "${aa:yes}", "" },
	{ "${empty:yes}", "yes" }, { "${empty:{yes}}", "yes" }, { "${nosuch:yes}", "yes" },
	{ "${empty?{yes}:{no}}", "no" }, { "${aa ? { yes } : { no }}", " yes " },
	{ "${empty?yes:no}", "" }, { "${aa?yes:no}", "yes:no" }, { "${aa?{x}:y}", "x" },
	{ "${aa?x:{y}}", "x:{y}" }, { "|${empty?{x}: y }|", "| y |" },
	{ "|${aa?{x} : {y} }|", "|x|" }, { "${empty:{yes}?{x}}", NULL }, { "${aa?{yes}x}", NULL },
	{ "${aa?{a{b}c}}", "a{b}c" }, { "${aa?a{b}c}", "a{b}c" }, { "${aa?{$bb}}", "AA" },
	{ "${aa?${bb}}", "AA" }, { "${{$aa}=={AA}?{x}:{y}}", "x" },
	{ "${{$aa} == {AA} ? {x} : {y}}", "x" }, { "${{$aa} != {AA} ? {x} : {y}}", "y" },
	{ "${{ AA }=={$aa}?{x}:{y}}", "y" }, { "${{$num} < {9} ? {x} : {y}}", "y" },
	{ "${{$num} >= {9} ? {x} : {y}}", "x" }, { "${{x} >= {9} ? {x} : {y}}", "x" },
	{ "${{9} > {10} ? {x} : {y}}", "y" }, { "${{9} <= {9} ? {x} : {y}}", "x" },
	{ "${{$num} == {010} ? {x} : {y}}", "x" }, { "${{a}=={a}?x:y}", "x:y" },
	{ "${{a}=={a}?{x}}", "x" }, { "${{a}=={a}:{x}}", "" }, { "${{a}=={b}:{x}}", "x" },
	{ "${{$aa}=={AA}?{}:{y}}", "" }, { "${{a}}", NULL }, { "${{a} = {a} ? {x}:{y}}", NULL },
	{ "${{a} == a ? {x}:{y}}", NULL }, { "${{a} == {a}}", NULL }, { "${{a} == {a} x}", NULL },
	{ "${{3.6} <level {3.7} ? {x} : {y}}", "x" }, { "${{3.10} >=level {3.7} ? {x} : {y}}", "x" },
	{ "${{3} ==level {3.0} ? {x} : {y}}", "x" }, { "${{3.x} <level {3.7} ? {x} : {y}}", NULL },
	{ "${{3.1.2.3} <level {3.7} ? {x} : {y}}", NULL }, { "$self", NULL }, { "$broken", NULL },
};

static void expands_as_postfix_does(UNUSED void **state)
{
	struct expand x = { .lookup = lookup, .flags = EXPAND_RECURSE };
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		t_case(cases[i].text);
		buf_reset(&out);
		int rc = expand_text(&x, sv_z(cases[i].text), &out, &e);
		if (rc != (cases[i].want ? 0 : -1))
			fail_msg("[%s]: %d, %s", cases[i].text, rc, e.text);
		if (cases[i].want)
			t_assert_sv(buf_sv(&out), cases[i].want);
		else
			assert_int_equal(e.cls, ERR_CONFIG);
	}
	buf_free(&out);
}

static void output_has_a_ceiling(UNUSED void **state)
{
	struct expand x = { .lookup = lookup, .flags = EXPAND_RECURSE };
	struct err e = ERR_INIT;
	struct buf out;
	buf_init(&out, 4);
	assert_int_equal(expand_text(&x, SV("12345"), &out, &e), -1);
	assert_int_equal(expand_text(&x, SV("123$aa"), &out, &e), -1);
	buf_free(&out);
}

static void unknown_names_can_stay(UNUSED void **state)
{
	struct expand x = { .lookup = lookup, .flags = EXPAND_KEEP };
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(expand_text(&x, SV("$aa $user ${home}/x $bb"), &out, NULL), 0);
	t_assert_sv(buf_sv(&out), "AA $user ${home}/x $aa");
	buf_free(&out);
}

static void values_can_be_filtered(UNUSED void **state)
{
	struct expand x = { .lookup = lookup, .filter = "abcA" };
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(expand_text(&x, SV("x$aa $num|"), &out, NULL), 0);
	t_assert_sv(buf_sv(&out), "xAA __|");
	buf_free(&out);
}

struct seen {
	char names[256];
};

static int note(void *arg, struct sv name, UNUSED struct sv *out, UNUSED struct err *e)
{
	struct seen *s = arg;
	size_t n = strlen(s->names);
	snprintf(s->names + n, sizeof(s->names) - n, "%.*s ", SV_ARG(name));
	return 0;
}

static void scan_walks_both_branches(UNUSED void **state)
{
	struct seen s = { "" };
	struct expand x = { .lookup = note, .arg = &s, .flags = EXPAND_SCAN };
	struct buf none;
	buf_init(&none, 1);
	assert_int_equal(
		expand_text(&x, SV("a $b ${c?{$d}:{$e}} ${{$f}=={$g}?{$h}:{$i}}"), &none, NULL), 0);
	assert_string_equal(s.names, "b c d e f g h i ");
	buf_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_as_postfix_does), cmocka_unit_test(output_has_a_ceiling),
		cmocka_unit_test(unknown_names_can_stay),  cmocka_unit_test(values_can_be_filtered),
		cmocka_unit_test(scan_walks_both_branches),
	};
	return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
