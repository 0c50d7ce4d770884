/* Unit test of lib/mail/addr_list.c, addr_list_write.c; rows E02, E08, F06 of the attack catalogue. */
#include "lib/mail/addr_list.h"
#include "tests/support/t.h"

/* want: "name|comment|internal;" for each mailbox, "{name" and "}" for groups. */
static const struct {
	const char *field;
	const char *want;
	bool bad;
	const char *written; /* with every address replaced by "X"; NULL: not checked */
} cases[] = {
	{ "a@b.example", "||a@b.example;", false, "X" },
	{ " a@b.example , c@d.example", "||a@b.example;||c@d.example;", false, " X , X" },
	{ "Joe Q. Public <joe@x.example>", "Joe Q. Public||joe@x.example;", false, "Joe Q. Public <X>" },
	{ "\"Joe, B\" <j@x>", "Joe, B||j@x;", false, "\"Joe, B\" <X>" },
	{ "joe@x (Joe \\(Q\\) (P))", "|Joe (Q) (P)|joe@x;", false, "X (Joe \\(Q\\) (P))" },
	{ "(c) joe@x", "|c|joe@x;", false, "(c) X" },
	{ "a (why) @ b . c", "|why|a@b.c;", false, "X (why)" },
	{ "<@r1,@r2:a@b>", "||a@b;", false, "<X>" },
	{ "<>", "||;", false, "<X>" },
	{ "\"a b\"@c, \"d\\\"e\"@f", "||a b@c;||d\"e@f;", false, "X, X" },
	{ "\"a@b\"", "||a@b;", false, "X" },
	{ "=?utf-8?q?J=C3=B6?= <j@x>", "=?utf-8?q?J=C3=B6?=||j@x;", false, "=?utf-8?q?J=C3=B6?= <X>" },
	{ "list: a@b, c@d;, e@f", "{list||a@b;||c@d;}||e@f;", false, "list: X, X;, X" },
	{ "undisclosed-recipients:;", "{undisclosed-recipients}", false, "undisclosed-recipients:;" },
	{ "a:b;c:d;e:f;", "{a||b;}{c||d;}{e||f;}", false, "a:X;c:X;e:X;" },
	{ "a@b c@d", "||a@b;||c@d;", false, "X, X" },
	{ "joe jane", "||joe;||jane;", false, "X, X" },
	{ "a <b@c> d <e@f>", "a||b@c;d||e@f;", false, "a <X>, d <X>" },
	{ "a <b@c><d@e>", "a||b@c;||d@e;", false, "a <X>,<X>" },
	{ "a@x,\n b@y,\n\tC <c@z>\n", "||a@x;||b@y;C||c@z;", false, "X,\n X,\n\tC <X>\n" },
	{ "u@[1.2.3.4], v@[IPv6:::1]", "||u@[1.2.3.4];||v@[IPv6:::1];", false, "X, X" },
	{ "a.@b", "||a.@b;", false, "X" },
	{ "a . b@c", "||a.b@c;", false, "X" },
	{ "", "", false, "" },
	{ " , ,, ", "", false, " , ,, " },
	{ "<two words@x>", "||two words@x;", true, "<X>" },
	{ "a <b@c> tail", "a||b@c;", true, "a <X> tail" },
	{ "a <b@c", "||a;||b@c;", true, NULL },
	{ "a <b, c@d", "||a;||b;||c@d;", true, NULL },
	{ "a > b", "||a;||b;", true, NULL },
	{ "a>b>c>d>e <f@g> h <i@j>", "||a;||b;||c;||d;e||f@g;h||i@j;", true, "X>X>X>X>e <X>, h <X>" },
	{ "\"open", "||open;", true, NULL },
	{ "(open", "", true, "(open" },
	{ "(", "", true, "(" },
	{ "\\", "||\\;", false, "X" },
	{ "a@", "||a@;", false, "X" },
	{ "@", "||@;", true, "X" },
	{ "[open", "||[open;", true, "X" },
	{ ";;:", "{", false, ";;:" },
	{ "<<<<a@b>>>>", "||a@b;", true, "<<<<X>>>>" },
};

static void show(struct buf *b, const struct addr_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct addr_item *item = &l->items[i];
		if (item->kind == ADDR_ITEM_GROUP_END) {
			buf_putc(b, '}');
			continue;
		}
		struct addr_item only = *item;
		only.comment = SV_NONE;
		if (item->kind == ADDR_ITEM_GROUP_START)
			buf_putc(b, '{');
		addr_item_name(b, &only);
		if (item->kind == ADDR_ITEM_GROUP_START)
			continue;
		buf_putc(b, '|');
		only = *item;
		only.name = SV_NONE;
		addr_item_name(b, &only);
		buf_printf(b, "|%.*s;", SV_ARG(item->internal));
	}
}

static void reads_and_rewrites(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct buf b;
		struct addr_list l;
		struct sv repl[20], field = sv_z(cases[i].field);
		arena_init(&a, 100000);
		buf_init(&b, 10000);
		t_case(cases[i].field);
		assert_int_equal(addr_list_parse(field, 1000, &a, &l), 0);
		show(&b, &l);
		t_assert_sv(buf_sv(&b), cases[i].want);
		if (l.bad != cases[i].bad || l.truncated)
			fail_msg("[%s]: bad %d truncated %d", cases[i].field, l.bad, l.truncated);
		for (size_t k = 0; k < ARRAY_LEN(repl); k++)
			repl[k] = SV("X");
		buf_reset(&b);
		assert_int_equal(addr_list_write(&b, field, &l, repl), 0);
		if (cases[i].written)
			t_assert_sv(buf_sv(&b), cases[i].written);
		bool commas = false;
		for (size_t k = 0; k < l.count; k++)
			commas |= l.items[k].missing_comma;
		buf_reset(&b);
		assert_int_equal(addr_list_write(&b, field, &l, NULL), 0);
		if (!commas)
			t_assert_sv(buf_sv(&b), cases[i].field);
		buf_free(&b);
		arena_free(&a);
	}
}

static void limits_tokens(UNUSED void **state)
{
	struct arena a;
	struct addr_list l;
	struct sv keep[10] = { { NULL, 0 } };
	struct buf b;
	struct sv field = SV("a@b, c@d, e@f");
	arena_init(&a, 100000);
	buf_init(&b, 1000);
	assert_int_equal(addr_list_parse(field, 7, &a, &l), 0);
	assert_true(l.truncated);
	assert_int_equal(l.count, 2);
	keep[0] = SV("x@y");
	assert_int_equal(addr_list_write(&b, field, &l, keep), 0);
	t_assert_sv(buf_sv(&b), "x@y, c@d, e@f");
	buf_free(&b);
	arena_free(&a);
	arena_init(&a, 64);
	assert_int_equal(addr_list_parse(field, 1000, &a, &l), -1);
	arena_free(&a);
}

/* E08: nesting, commas and angles by the hundred thousand take no time and no stack. */
static void hostile_fields_are_linear(UNUSED void **state)
{
	static const char *const pieces[] = { "(", ",", "<", "a@b,", "g:", ";", "\"", "<@", "a ", "\\", ")" };
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct arena a;
		struct buf b;
		struct addr_list l;
		buf_init(&b, 1 << 20);
		for (int k = 0; k < 100000; k++)
			buf_puts(&b, pieces[i]);
		for (size_t max = 10240; max <= 1000000; max *= 50) {
			arena_init(&a, (size_t)256 << 20);
			t_case(pieces[i]);
			assert_int_equal(addr_list_parse(buf_sv(&b), max, &a, &l), 0);
			arena_free(&a);
		}
		buf_free(&b);
	}
}

static void writes_phrases(UNUSED void **state)
{
	static const char *const names[][2] = {
		{ "Joe Public", "Joe Public" },
		{ "Joe Q. Public", "\"Joe Q. Public\"" },
		{ "Joe \"X\" \\ P", "\"Joe \\\"X\\\" \\\\ P\"" },
		{ "", "\"\"" },
		{ "a\nBcc: x", "\"a Bcc: x\"" },
		{ "J\xc3\xb6rg", "J\xc3\xb6rg" },
		{ "a@b", "\"a@b\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf b;
		buf_init(&b, 100);
		t_case(names[i][0]);
		addr_phrase(&b, sv_z(names[i][0]));
		t_assert_sv(buf_sv(&b), names[i][1]);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_rewrites),
		cmocka_unit_test(limits_tokens),
		cmocka_unit_test(hostile_fields_are_linear),
		cmocka_unit_test(writes_phrases),
	};
	return cmocka_run_group_tests_name("addr_list", tests, NULL, NULL);
}
