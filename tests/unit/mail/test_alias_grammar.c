/* Unit test of lib/mail/alias_grammar.c: the forms met in real alias files. */
#include "lib/mail/alias_grammar.h"
#include "tests/support/t.h"

/* want: kind letter (A address, P plain, C command, F file, I include) and text, ';' after each;
 * or "!message". */
static const struct {
	enum alias_source source;
	const char *text;
	const char *want;
} cases[] = {
	{ ALIAS_RHS, "root", "Aroot;" },
	{ ALIAS_RHS, "bbraun,kevin, torrey", "Abbraun;Akevin;Atorrey;" },
	{ ALIAS_RHS, "a,", "Aa;" },
	{ ALIAS_RHS, "", "" },
	{ ALIAS_RHS, "Joe Bloggs <joe@x>", "Ajoe@x;" },
	{ ALIAS_RHS, "joe (Joe Q)", "Ajoe;" },
	{ ALIAS_RHS, "\"Joe, B\" <j@x>, k@y", "Aj@x;Ak@y;" },
	{ ALIAS_RHS, "\"|/usr/bin/rt --queue 'bod' --url https://x,y\"",
		"C/usr/bin/rt --queue 'bod' --url https://x,y;" },
	{ ALIAS_RHS, "|/usr/lib/mailman/mail/mailman post list",
		"C/usr/lib/mailman/mail/mailman post list;" },
	{ ALIAS_RHS, "|/bin/cmd a,b", "C/bin/cmd a;Ab;" },
	{ ALIAS_RHS, "\"| env HOME=/x /y -l \\\"q\\\"\"", "Cenv HOME=/x /y -l \"q\";" },
	{ ALIAS_RHS, "/var/mail/nomail, \"/Users/a b/mail/\", /dev/null",
		"F/var/mail/nomail;F/Users/a b/mail/;F/dev/null;" },
	{ ALIAS_RHS, ":include:/etc/lists/a b, x", "I/etc/lists/a b;Ax;" },
	{ ALIAS_RHS, "\":include:/path with space\"", "I/path with space;" },
	{ ALIAS_RHS, ":include:relative", "!f, line 7: :include: needs an absolute path" },
	{ ALIAS_RHS, "\\root, admin", "Proot;Aadmin;" },
	{ ALIAS_RHS, "joe # trailing", "Ajoe;A#;Atrailing;" },
	{ ALIAS_RHS, "list:a,b;", "Aa;Ab;" },
	{ ALIAS_RHS, "list:a,b;, c", "Aa;Ab;Ac;" },
	{ ALIAS_RHS, "error:5.1.1 no such user", "Aerror:5.1.1 no such user;" },
	{ ALIAS_RHS, ":fail: no such user", "A:fail: no such user;" },
	{ ALIAS_RHS, "j\xc3\xb6rg@ex\xc3\xa4mple.com", "Aj\xc3\xb6rg@ex\xc3\xa4mple.com;" },
	{ ALIAS_RHS, "\"|exit 67\"", "Cexit 67;" },
	{ ALIAS_RHS, "\"|a\" \"|b\"", "Ca;Cb;" },
	{ ALIAS_RHS, "\"|x\"@host.example", "Cx;A@host.example;" },
	{ ALIAS_RHS, "\"a b\"@host.example", "Aa b@host.example;" },
	{ ALIAS_RHS, "\"|open", "!f, line 7: quoted string without end" },
	{ ALIAS_RHS, "a, \"", "!f, line 7: quoted string without end" },
	{ ALIAS_RHS, "|", "!f, line 7: empty command" },
	{ ALIAS_RHS, "\"\"", "" },
	{ ALIAS_RHS, "\\", "A\\;" },
	{ ALIAS_LINES, "# comment\n\\js, \"|/usr/bin/vacation js\"\n\n a@b\n",
		"Pjs;C/usr/bin/vacation js;Aa@b;" },
	{ ALIAS_LINES, "| /usr/bin/procmail\n", "C/usr/bin/procmail;" },
	{ ALIAS_LINES, "\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user\"\n",
		"CIFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user;" },
	{ ALIAS_LINES, "a@b\n |cmd x\n/home/u/Maildir/", "Aa@b;Ccmd x;F/home/u/Maildir/;" },
	{ ALIAS_LINES, "a\nb\n\"open\nc\n", "!f, line 9: quoted string without end" },
	{ ALIAS_LINES, "a\r\nb\r\n", "Aa;Ab;" },
	{ ALIAS_LINES, "", "" },
};

static void show(struct buf *b, const struct alias_list *l)
{
	static const char letters[] = { [ALIAS_ADDRESS] = 'A', [ALIAS_COMMAND] = 'C',
		[ALIAS_FILE] = 'F', [ALIAS_INCLUDE] = 'I' };
	for (size_t i = 0; i < l->count; i++)
		buf_printf(b, "%c%.*s;", l->items[i].plain ? 'P' : letters[l->items[i].kind],
			SV_ARG(l->items[i].text));
}

static void parses_every_form(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct buf b;
		struct alias_list l;
		struct err e = ERR_INIT;
		arena_init(&a, 100000);
		buf_init(&b, 1000);
		t_case(cases[i].text);
		if (alias_parse(sv_z(cases[i].text), cases[i].source, "f", 7, 100, &a, &l, &e) == 1)
			show(&b, &l);
		else
			buf_printf(&b, "!%s", e.text);
		t_assert_sv(buf_sv(&b), cases[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

static void keeps_lines_and_limits(UNUSED void **state)
{
	struct arena a;
	struct alias_list l;
	struct err e = ERR_INIT;
	arena_init(&a, 100000);
	assert_int_equal(alias_parse(SV("#\na\n\nb, c\n"), ALIAS_LINES, "f", 1, 10, &a, &l, &e), 1);
	assert_int_equal(l.count, 3);
	assert_int_equal(l.items[0].line, 2);
	assert_int_equal(l.items[2].line, 4);
	assert_int_equal(alias_parse(SV("a,b,c,d"), ALIAS_RHS, "f", 1, 3, &a, &l, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(alias_parse(SV("a\0b"), ALIAS_RHS, "f", 1, 3, &a, &l, &e), -1);
	arena_free(&a);
	arena_init(&a, 100);
	assert_int_equal(alias_parse(SV("a,b,c,d"), ALIAS_RHS, "f", 1, 9, &a, &l, &e), -1);
	assert_int_equal(e.cls, ERR_TEMP);
	arena_free(&a);
}

/* Row G05: an alias of 10^5 members, whatever they look like, is read in linear time. */
static void large_aliases_are_linear(UNUSED void **state)
{
	static const struct {
		const char *piece, *end;
		size_t count;
	} lists[] = {
		{ "user12345@host.example, ", "", 100000 },
		{ "a:b, ", "", 100000 },
		{ "a:b, ", ";", 100000 },
		{ "a:", ";", 0 },
		{ "\"|cmd\", ", "", 100000 },
		{ "a b ", "", 200000 },
		{ "(", "", 0 },
		{ "<", "", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena a;
		struct buf b;
		struct alias_list l;
		struct err e = ERR_INIT;
		arena_init(&a, (size_t)256 << 20);
		buf_init(&b, 4 << 20);
		for (int k = 0; k < 100000; k++)
			buf_puts(&b, lists[i].piece);
		buf_puts(&b, lists[i].end);
		t_case(lists[i].piece);
		int rc = alias_parse(buf_sv(&b), ALIAS_RHS, "f", 1, 1000000, &a, &l, &e);
		assert_int_equal(rc, 1);
		if (lists[i].count)
			assert_int_equal(l.count, lists[i].count);
		buf_free(&b);
		arena_free(&a);
	}
}

static void stores_as_postalias(UNUSED void **state)
{
	static const char *const forms[][2] = {
		{ "root", "root" },
		{ "a,", "a, " },
		{ "bbraun,kevin,  torrey", "bbraun, kevin, torrey" },
		{ "|/bin/cmd a,b", "|/bin/cmd a, b" },
		{ "\"|cmd a,b\", \\c", "\"|cmd a,b\", c" },
		{ "Joe Bloggs <joe@x>", "Joe Bloggs <joe@x>" },
		{ "list:a,b;", "list:a, b;" },
		{ "joe # trailing", "joe # trailing" },
		{ "\"open", "\"open" },
		{ "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct buf b;
		buf_init(&b, 1000);
		t_case(forms[i][0]);
		assert_int_equal(alias_store_form(&b, sv_z(forms[i][0])), 0);
		t_assert_sv(buf_sv(&b), forms[i][1]);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_every_form),
		cmocka_unit_test(keeps_lines_and_limits),
		cmocka_unit_test(large_aliases_are_linear),
		cmocka_unit_test(stores_as_postalias),
	};
	return cmocka_run_group_tests_name("alias_grammar", tests, NULL, NULL);
}
