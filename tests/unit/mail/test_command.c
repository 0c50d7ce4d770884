/* Unit test of lib/mail/command.c: shell or not, clean environments, exit codes. */
#include "tests/support/t.h"

#include "lib/mail/command.h"

static const struct {
	const char *text;
	int rc;
	const char *argv; /* joined by '|' */
} splits[] = {
	{ "/usr/bin/procmail", 1, "/usr/bin/procmail|" },
	{ "/usr/lib/mailman/mail/mailman post list", 1, "/usr/lib/mailman/mail/mailman|post|list|" },
	{ " \t/bin/x\ta  b ", 1, "/bin/x|a|b|" },
	{ "queue list@dom.example -f --x=1,2 %h !y", 1, "queue|list@dom.example|-f|--x=1,2|%h|!y|" },
	{ "exit 75", 1, "exit|75|" }, /* no such program: postman gives it to the shell */
	{ "IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user", 0, NULL },
	{ "/usr/bin/rt-mailgate --queue 'bod'", 0, NULL },
	{ "exec /usr/bin/procmail #USER", 0, NULL },
	{ "cat >/dev/null", 0, NULL },
	{ "a;b", 0, NULL },
	{ "a $EXTENSION", 0, NULL },
	{ "a `b`", 0, NULL },
	{ "a*", 0, NULL },
	{ "a\nb", 0, NULL },
	{ "\xc3\xa9", 0, NULL },
	{ "", 0, NULL },
	{ "  ", 0, NULL },
};

static void a_shell_only_when_needed(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct arena a;
		struct buf got;
		char **argv = NULL;
		t_case(splits[i].text);
		arena_init(&a, 4096);
		buf_init(&got, 1000);
		assert_int_equal(command_split(sv_z(splits[i].text), &a, &argv), splits[i].rc);
		for (size_t k = 0; splits[i].rc == 1 && argv[k]; k++)
			(void)buf_printf(&got, "%s|", argv[k]);
		if (splits[i].rc == 1)
			assert_string_equal(buf_z(&got), splits[i].argv);
		buf_free(&got);
		arena_free(&a);
	}
}

static void no_memory_is_no_command(UNUSED void **state)
{
	struct arena a;
	char **argv;
	arena_init(&a, 16);
	assert_int_equal(command_split(SV("/bin/a b c d e f g h i j k l m n o p"), &a, &argv), -1);
	arena_free(&a);
}

static void environments_are_clean(UNUSED void **state)
{
	static const char allowed[] = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct buf b;
	buf_init(&b, 100);
	assert_int_equal(command_clean(&b, SV("a$(reboot)`x`;|&<>\"'\\\n\t\0\xff~*b@c.d"), allowed), 0);
	assert_string_equal(buf_z(&b), "a__reboot__x_______________b@c.d");
	buf_reset(&b);
	b.max = 3;
	assert_int_equal(command_clean(&b, SV("abcd"), allowed), -1);
	buf_free(&b);
}

static const struct {
	enum command_end end;
	unsigned value;
	const char *output;
	enum command_result result;
	const char *dsn, *text;
} ends[] = {
	{ COMMAND_EXITED, 0, "5.1.1 chatter", COMMAND_DELIVERED, "2.0.0", "delivered to command: /bin/c x" },
	{ COMMAND_EXITED, 1, "", COMMAND_REFUSED, "5.3.0", "Command died with status 1: \"/bin/c x\"" },
	{ COMMAND_EXITED, 1, " oops\n", COMMAND_REFUSED, "5.3.0",
		"Command died with status 1: \"/bin/c x\". Command output: oops" },
	{ COMMAND_EXITED, 64, "", COMMAND_REFUSED, "5.3.0", "command line usage error" },
	{ COMMAND_EXITED, 65, "", COMMAND_REFUSED, "5.6.0", "data format error" },
	{ COMMAND_EXITED, 67, "", COMMAND_REFUSED, "5.1.1", "user unknown" },
	{ COMMAND_EXITED, 67, "who?", COMMAND_REFUSED, "5.1.1", "user unknown. Command output: who?" },
	{ COMMAND_EXITED, 71, "", COMMAND_TRY_AGAIN, "4.3.0", "system resource problem" },
	{ COMMAND_EXITED, 73, "", COMMAND_REFUSED, "5.2.0", "can't create user output file" },
	{ COMMAND_EXITED, 75, "", COMMAND_TRY_AGAIN, "4.3.0", "temporary failure" },
	{ COMMAND_EXITED, 77, "", COMMAND_REFUSED, "5.7.0", "permission denied" },
	{ COMMAND_EXITED, 78, "", COMMAND_REFUSED, "5.3.5", "local configuration error" },
	{ COMMAND_EXITED, 126, "", COMMAND_TRY_AGAIN, "4.3.0", "Command died with status 126: \"/bin/c x\"" },
	{ COMMAND_EXITED, 127, "sh: 1: c: not found", COMMAND_TRY_AGAIN, "4.3.0",
		"Command died with status 127: \"/bin/c x\". Command output: sh: 1: c: not found" },
	{ COMMAND_EXITED, 255, "", COMMAND_REFUSED, "5.3.0", "Command died with status 255: \"/bin/c x\"" },
	/* codes in the output outweigh the status, but none turns a failure into a delivery */
	{ COMMAND_EXITED, 1, "4.2.2 mailbox full\nmore", COMMAND_TRY_AGAIN, "4.2.2", "mailbox full\nmore" },
	{ COMMAND_EXITED, 1, "5.7.1 go away", COMMAND_REFUSED, "5.7.1", "go away" },
	{ COMMAND_EXITED, 75, "5.7.1 go away", COMMAND_REFUSED, "5.7.1", "go away" },
	{ COMMAND_EXITED, 69, "2.0.0 fine", COMMAND_REFUSED, "5.3.0",
		"service unavailable. Command output: 2.0.0 fine" },
	{ COMMAND_EXITED, 69, "5.7.1x", COMMAND_REFUSED, "5.3.0", "service unavailable. Command output: 5.7.1x" },
	{ COMMAND_SIGNALLED, 11, "5.1.1 half", COMMAND_TRY_AGAIN, "4.3.0",
		"Command died with signal 11: \"/bin/c x\". Command output: 5.1.1 half" },
	{ COMMAND_TIMED_OUT, 0, "", COMMAND_TRY_AGAIN, "4.3.0", "Command time limit exceeded: \"/bin/c x\"" },
	{ COMMAND_NOT_RUN, 0, "exec /bin/c: no", COMMAND_TRY_AGAIN, "4.3.0",
		"cannot run \"/bin/c x\": exec /bin/c: no" },
	{ (enum command_end)99, 0, "", COMMAND_TRY_AGAIN, "4.3.0", "" },
};

static void every_end_means_something(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct command_verdict v;
		struct buf text;
		char code[DSN_TEXT_MAX];
		t_case(ends[i].text);
		buf_init(&text, 1000);
		command_verdict(ends[i].end, ends[i].value, SV("/bin/c x"), sv_z(ends[i].output), &v, &text);
		assert_int_equal(v.result, ends[i].result);
		assert_string_equal(dsn_format(v.dsn, code), ends[i].dsn);
		assert_string_equal(buf_z(&text), ends[i].text);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shell_only_when_needed),
		cmocka_unit_test(no_memory_is_no_command),
		cmocka_unit_test(environments_are_clean),
		cmocka_unit_test(every_end_means_something),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
