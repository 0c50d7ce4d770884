/* Unit test of lib/config/mastercf*.c. */
#include "tests/support/t.h"
#include "lib/config/mastercf.h"

static void fields_and_options(UNUSED void **state)
{
	static const char text[] =
		"# services\n"
		"smtp inet n - y - - smtpd -v -o { smtpd_banner = hello there } -o x=y\n"
		"  -o mynetworks=127.0.0.1 -D\n"
		"qmgr unix n n n 300? 1 qmgr\n"
		"\n"
		"foo unix - n n - 0 pipe flags=R argv={a b  c} {  d e } -o bb=c\n";
	struct mastercf m;
	struct err e = ERR_INIT;
	if (mastercf_parse(sv_n(L(text)), "master.cf", &m, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(m.count, 3);
	const struct service *s = &m.services[0];
	assert_string_equal(s->name, "smtp");
	assert_int_equal(s->type, SERVICE_INET);
	assert_false(s->is_private);
	assert_true(s->unprivileged);
	assert_true(s->chroot);
	assert_int_equal(s->maxproc, SERVICE_DEFAULT);
	assert_int_equal(s->noptions, 3);
	assert_string_equal(s->options[0].name, "smtpd_banner");
	assert_string_equal(s->options[0].value, "hello there");
	assert_string_equal(s->options[2].value, "127.0.0.1");
	assert_int_equal(s->argc, 2);
	assert_string_equal(s->argv[0], "-v");
	assert_string_equal(s->argv[1], "-D");
	assert_null(s->argv[2]);
	s = &m.services[1];
	assert_int_equal(s->wakeup, 300);
	assert_true(s->wakeup_if_used);
	assert_false(s->unprivileged);
	assert_int_equal(s->maxproc, 1);
	assert_int_equal(s->line, 4);
	s = &m.services[2];
	assert_true(s->is_private);
	assert_int_equal(s->maxproc, 0);
	/* after the first word that is no option, -o belongs to the command */
	assert_int_equal(s->noptions, 0);
	assert_int_equal(s->argc, 5);
	assert_string_equal(s->argv[1], "argv={a b  c}");
	assert_string_equal(s->argv[2], "d e");
	assert_ptr_equal(mastercf_find(&m, "qmgr", SERVICE_UNIX), &m.services[1]);
	assert_null(mastercf_find(&m, "qmgr", SERVICE_FIFO));
	mastercf_free(&m);
}

static const struct {
	const char *text, *error;
	bool loose; /* accepted by mastercf_parse_loose() */
} wrong[] = {
	{ "b unix - - - -\n", "a service needs 8 fields", false },
	{ "b unixx - - - - - smtp\n", "a service type must be", false },
	{ "b unix z - - - - smtp\n", "the private field", false },
	{ "b unix - z - - - smtp\n", "the unpriv field", false },
	{ "b unix - - z - - smtp\n", "the chroot field", false },
	{ "b unix - - - x - smtp\n", "a wake-up time", false },
	{ "b unix - - - ? - smtp\n", "a wake-up time", false },
	{ "b unix - - - - x smtp\n", "a process limit", false },
	{ "b unix - - - - -1 smtp\n", "a process limit", false },
	{ "b inet y - - - - smtp\n", "an inet service cannot be private", true },
	{ "b unix - - - - - smtp -o foo\n", "-o must be followed by name=value", true },
	{ "b unix - - - - - smtp -o { foo = bar\n", "\"{\" without its \"}\"", false },
	{ "b unix - - - - - smtp -o {foo}\n", "-o must be followed by name=value", true },
	{ "b unix - - - - - smtp -o {foo=bar}z\n", "text after the closing \"}\"", false },
	{ " b unix - - - - - smtp\n", "a line that starts with a blank", false },
	{ "b unix - - - - - /bin/smtp\n", "a command is a program of daemon_directory", true },
	{ "b unix - - - - - smtp\nb unix - - - - - smtp\n", "service b unix stands in line 1", true },
};

static void wrong_lines_are_named(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct mastercf m;
		struct err e = ERR_INIT;
		t_case(wrong[i].text);
		assert_int_equal(mastercf_parse(sv_z(wrong[i].text), "master.cf", &m, &e), -1);
		if (!strstr(e.text, wrong[i].error) || !strstr(e.text, "master.cf, line "))
			fail_msg("[%s] says: %s", wrong[i].text, e.text);
		int rc = mastercf_parse_loose(sv_z(wrong[i].text), "master.cf", &m, &e);
		assert_int_equal(rc, wrong[i].loose ? 0 : -1);
		if (rc == 0)
			mastercf_free(&m);
	}
}

static const struct {
	const char *text, *line, *folded;
} formats[] = {
	{ "smtp inet n - y - - smtpd",
	  "smtp       inet  n       -       y       -       -       smtpd",
	  "smtp       inet  n       -       y       -       -       smtpd" },
	{ "127.0.0.1:10025 inet n - n - 16 smtpd -o content_filter= -v",
	  "127.0.0.1:10025 inet n   -       n       -       16      smtpd -o content_filter= -v",
	  "127.0.0.1:10025 inet n   -       n       -       16      smtpd\n    -o content_filter=\n"
	  "    -v" },
	{ "verylongservicename1 unix - n n - - pipe {a b} {}",
	  "verylongservicename1 unix - n    n       -       -       pipe {a b} {}",
	  "verylongservicename1 unix - n    n       -       -       pipe {a b} {}" },
	{ "p unix - n n - - pipe -o {a = b c} x",
	  "p          unix  -       n       n       -       -       pipe -o {a=b c} x",
	  "p          unix  -       n       n       -       -       pipe\n    -o {a=b c}\n    x" },
};

static void services_are_written_in_columns(UNUSED void **state)
{
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct mastercf m;
		t_case(formats[i].text);
		assert_int_equal(mastercf_parse(sv_z(formats[i].text), "x", &m, NULL), 0);
		buf_reset(&out);
		assert_int_equal(mastercf_format(&m.services[0], false, &out), 0);
		t_assert_sv(buf_sv(&out), formats[i].line);
		buf_reset(&out);
		assert_int_equal(mastercf_format(&m.services[0], true, &out), 0);
		t_assert_sv(buf_sv(&out), formats[i].folded);
		mastercf_free(&m);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_and_options),
		cmocka_unit_test(wrong_lines_are_named),
		cmocka_unit_test(services_are_written_in_columns),
	};
	return cmocka_run_group_tests_name("mastercf", tests, NULL, NULL);
}
