/* Unit test of lib/config/bouncecf.c: templates, and what is wrong with some. */
#include "lib/config/bouncecf.h"

#include "tests/support/t.h"

static void note(void *arg, unsigned line, const char *text)
{
	buf_printf(arg, "%u: %s\n", line, text);
}

#define HEAD "Subject: s\n\n"
#define GOOD "failure_template = <<EOF\n" HEAD "text\nEOF\n"

/* What is in the failure template, and the complaints. A view of "built in": nothing. */
static const struct {
	const char *file;
	const char *subject, *text;
	unsigned line;
	const char *complaint; /* its beginning */
} cases[] = {
	{ GOOD, "s", "text\n", 4, NULL },
	{ "# note\n\n  \n  failure_template=<<  X Y \nsubject:  s \n\n  text\n\nEOF \n#no note\nX Y\n", "s",
		"  text\n\nEOF \n#no note\n", 7, NULL },
	{ "failure_template = <<EOF\r\nSubject: s\r\n\r\ntext\r\nEOF\r\n", "s", "text\r\n", 4, NULL },
	{ "failure_template = a line\n", NULL, "a line", 1, NULL },
	{ "failure_template = <<EOF\nno header\nSubject: x\nEOF\n", NULL, "no header\nSubject: x\n", 2, NULL },
	{ "failure_template = <<EOF\n\nno header\nEOF\n", NULL, "no header\n", 3, NULL },
	{ "failure_template = <<EOF\nSubject: s\n folded\nEOF\n", "s", " folded\n", 3, NULL },
	{ GOOD "failure_template = <<EOF\n\nsecond\nEOF", NULL, "second\n", 8, NULL },
	{ "failure_template = <<EOF\nCharset: utf-8\n\nt\xc3\xa9xt\nEOF\n", NULL, "t\xc3\xa9xt\n", 4, NULL },
	/* wrong: the built-in one stays, the others are read on */
	{ "hello\n" GOOD, "s", "text\n", 5, "1: \"NAME_template = <<EOF\" expected" },
	{ "foo_template = <<EOF\nx\nEOF\n" GOOD, "s", "text\n", 7, "1: \"foo_template\" is none of" },
	{ "delay_template = <<\n" GOOD, "s", "text\n", 5, "1: a word is missing after \"<<\"" },
	{ "failure_template = <<EOF\n" HEAD "text\n", NULL, NULL, 0, "1: no line \"EOF\" ends the template" },
	{ "failure_template = <<EOF\nFoo: x\n\ntext\nEOF\n", NULL, NULL, 0, "2: unknown header \"Foo\" in fail" },
	{ "failure_template = <<EOF\n" HEAD "EOF\n", NULL, NULL, 0, "4: no text in failure template" },
	{ "failure_template =\n", NULL, NULL, 0, "1: no text in failure template" },
	{ "failure_template = <<EOF\nSubject:\n\ntext\nEOF\n", NULL, NULL, 0, "2: empty header \"Subject\"" },
	{ "failure_template = <<EOF\nSubject: \xc3\xa9\n\nx\nEOF\n", NULL, NULL, 0, "2: non-ASCII or control octet" },
	{ "failure_template = <<EOF\nCharset: a b\n\ntext\nEOF\n", NULL, NULL, 0, "2: \"a b\" in failure temp" },
	{ "failure_template = <<EOF\n" HEAD "a\nt\xc3\xa9xt\nEOF\n", NULL, NULL, 0, "5: non-ASCII text, and" },
	{ "failure_template = <<EOF\nCharset: utf-8\n\nt\xe9xt\nEOF\n", NULL, NULL, 0, "4: text that is not UTF-8" },
	{ "failure_template = <<EOF\n" HEAD "a\x07\nEOF\n", NULL, NULL, 0, "4: control octet in failure template" },
};

static void files(UNUSED void **state)
{
	const struct bouncecf_template *def = bouncecf_builtin(BOUNCECF_FAILURE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bouncecf_template t[BOUNCECF_KINDS];
		struct buf said;
		buf_init(&said, 10000);
		t_case(cases[i].file);
		unsigned n = bouncecf_parse(sv_z(cases[i].file), t, note, &said);
		assert_int_equal(n, cases[i].complaint ? 1 : 0);
		if (cases[i].complaint && !sv_starts(buf_sv(&said), sv_z(cases[i].complaint)))
			fail_msg("%s", buf_z(&said));
		const struct bouncecf_template *f = &t[BOUNCECF_FAILURE];
		assert_true(cases[i].subject ? sv_eqz(f->subject, cases[i].subject)
					     : sv_eq(f->subject, def->subject));
		assert_true(cases[i].text ? sv_eqz(f->text, cases[i].text) : sv_eq(f->text, def->text));
		assert_int_equal(f->line, cases[i].line);
		/* what a template does not say stays */
		assert_true(sv_eq(f->from, def->from));
		assert_true(sv_eq(f->postmaster_subject, def->postmaster_subject));
		assert_true(sv_eq(t[BOUNCECF_DELAY].text, bouncecf_builtin(BOUNCECF_DELAY)->text));
		buf_free(&said);
	}
}

static void each_kind_and_header(UNUSED void **state)
{
	struct bouncecf_template t[BOUNCECF_KINDS];
	struct buf said;
	buf_init(&said, 10000);
	struct sv file = SV("delay_template = <<A\nCHARSET: koi8-r\nFROM: x@y (z)\nPOSTMASTER-SUBJECT: p\n"
			    "subject: q\n\nd\nA\nsuccess_template = <<A\n\ns\nA\n"
			    "verify_template = <<A\nPostmaster-Subject: p\n\nv\nA\n");
	assert_int_equal(bouncecf_parse(file, t, note, &said), 1);
	t_assert_sv(buf_sv(&said), "14: header \"Postmaster-Subject\" has no use in verify template\n");
	const struct bouncecf_template *d = &t[BOUNCECF_DELAY];
	t_assert_sv(d->charset, "koi8-r");
	t_assert_sv(d->from, "x@y (z)");
	t_assert_sv(d->subject, "q");
	t_assert_sv(d->postmaster_subject, "p");
	t_assert_sv(t[BOUNCECF_SUCCESS].text, "s\n");
	assert_true(sv_eq(t[BOUNCECF_VERIFY].text, bouncecf_builtin(BOUNCECF_VERIFY)->text));
	buf_free(&said);
}

static void long_lines_are_refused(UNUSED void **state)
{
	struct bouncecf_template t[BOUNCECF_KINDS];
	struct buf file, said;
	buf_init(&file, 10000);
	buf_init(&said, 10000);
	buf_puts(&file, "failure_template = <<EOF\n\n");
	for (size_t i = 0; i <= BOUNCECF_LINE_MAX; i++)
		buf_putc(&file, 'x');
	buf_puts(&file, "\nEOF\n");
	assert_int_equal(bouncecf_parse(buf_sv(&file), t, note, &said), 1);
	t_assert_sv(buf_sv(&said), "3: over-long line in failure template\n");
	buf_free(&file);
	buf_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(each_kind_and_header),
		cmocka_unit_test(long_lines_are_refused),
	};
	return cmocka_run_group_tests_name("bouncecf", tests, NULL, NULL);
}
