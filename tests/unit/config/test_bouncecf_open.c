/* Unit test of lib/config/bouncecf_open.c: the file, and values for names. */
#include "lib/config/bouncecf.h"

#include <stdio.h>

#include "lib/config/config.h"
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

static void warn(void *arg, const char *text)
{
	buf_printf(arg, "%s\n", text);
}

/* The failure text of a file, expanded; warnings in SAID. */
static void expanded(const char *main_cf, const char *text, struct buf *out, struct buf *said)
{
	struct err e = ERR_INIT;
	char *dir = tmpdir_new();
	char path[300];
	struct bouncecf b;
	struct config *cfg = config_open_text(dir, "main.cf", sv_z(main_cf), &e);
	assert_non_null(cfg);
	snprintf(path, sizeof(path), "%s/b.cf", dir);
	FILE *fp = fopen(path, "w");
	fprintf(fp, "failure_template = <<EOF\n\n%s\nEOF\n", text);
	fclose(fp);
	assert_int_equal(bouncecf_open(&b, cfg, path, warn, said, &e), 0);
	assert_int_equal(said->len, 0);
	bouncecf_expand(&b, cfg, warn, said);
	buf_reset(out);
	buf_put_sv(out, b.t[BOUNCECF_FAILURE].text);
	for (unsigned k = 0; k < BOUNCECF_KINDS; k++)
		assert_true(sv_find(b.t[k].text, SV("$")) < 0);
	bouncecf_free(&b);
	config_free(cfg);
	tmpdir_remove(dir);
}

static void names(UNUSED void **state)
{
	static const char main_cf[] = "myhostname = mx.a.test\nmydomain = a.test\ndelay_warning_time = 90m\n"
				      "maximal_queue_lifetime = 2w\nmine = $mydomain is mine\nlatin = \xe9\n";
	static const struct {
		const char *text, *want;
		const char *said; /* how the warning ends; NULL: none */
	} t[] = {
		{ "a $myhostname ${myhostname} $(mydomain)", "a mx.a.test mx.a.test a.test\n", NULL },
		{ "first\n\n$mine", "first\n\na.test is mine\n", NULL },
		{ "$delay_warning_time_hours $delay_warning_time_minutes ${delay_warning_time_seconds}",
			"1 90 5400\n", NULL },
		{ "${maximal_queue_lifetime_days}d $maximal_queue_lifetime_weeks $maximal_queue_lifetime",
			"14d 2 2w\n", NULL },
		{ "$delay_warning_time_days", "0\n",
			"line 3: $delay_warning_time_days in failure template is 0: take a smaller unit\n" },
		{ "x\ny\n$nope", NULL, "line 5: undefined parameter $nope; the built-in template is used\n" },
		{ "$delay_warning_time_foo", NULL,
			"line 3: \"foo\" in $delay_warning_time_foo is none of seconds, minutes, hours, "
			"days, weeks; the built-in template is used\n" },
		{ "${unclosed", NULL, "; the built-in template is used\n" },
		{ "$latin", NULL, "line 3: the expanded line is not in us-ascii; the built-in template is used\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct buf out, said;
		buf_init(&out, 10000);
		buf_init(&said, 10000);
		t_case(t[i].text);
		expanded(main_cf, t[i].text, &out, &said);
		if (t[i].want)
			t_assert_sv(buf_sv(&out), t[i].want);
		else
			assert_true(sv_starts(buf_sv(&out), SV("This is the mail server mx.a.test.\n\nYour ")));
		assert_true(t[i].said ? sv_ends(buf_sv(&said), sv_z(t[i].said)) : said.len == 0);
		buf_free(&out);
		buf_free(&said);
	}
}

static void no_such_file(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct bouncecf b;
	struct config *cfg = config_open_text("/", "main.cf", SV("bounce_template_file = /no/such/file\n"), &e);
	assert_non_null(cfg);
	assert_int_equal(bouncecf_open(&b, cfg, NULL, warn, NULL, &e), -1);
	t_assert_sv(sv_z(e.text), "open /no/such/file: No such file or directory");
	assert_true(sv_eq(b.t[BOUNCECF_FAILURE].text, bouncecf_builtin(BOUNCECF_FAILURE)->text));
	bouncecf_free(&b);
	assert_int_equal(bouncecf_open(&b, cfg, "", warn, NULL, &e), 0);
	bouncecf_free(&b);
	config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(no_such_file),
	};
	return cmocka_run_group_tests_name("bouncecf_open", tests, NULL, NULL);
}
