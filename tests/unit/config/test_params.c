/* Unit test of lib/config/params*: the table keeps its own rules, structs load. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"
#include "lib/config/params.h"

static void rows_are_sorted_unique_and_complete(UNUSED void **state)
{
	size_t n;
	const struct param_row *rows = params_rows(&n);
	assert_true(n > 900);
	for (size_t i = 0; i < n; i++) {
		t_case(rows[i].name);
		assert_ptr_equal(params_find(sv_z(rows[i].name)), &rows[i]);
		assert_true(rows[i].hi == 0 || rows[i].lo <= rows[i].hi);
		if (rows[i].summary[0] == '\0' || !sv_ends(sv_z(rows[i].summary), SV(".")))
			fail_msg("%s: no summary, or one without a full stop", rows[i].name);
		if (i > 0 && rows[i - 1].section == rows[i].section)
			assert_true(strcmp(rows[i - 1].name, rows[i].name) < 0);
	}
}

/* Every default expands, and is a value of its type inside the bounds. */
static void defaults_are_valid(UNUSED void **state)
{
	struct config *cfg = config_open_empty("/etc/merpati");
	size_t n, bad = 0;
	const struct param_row *rows = params_rows(&n);
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		long num;
		const char *text = config_str(cfg, rows[i].name, &e);
		/* an empty default means "not set" for some numbers that nothing reads */
		if (text && *text == '\0' && rows[i].state == PARAM_KNOWN)
			continue;
		if (rows[i].type == PARAM_RAW)
			continue;
		if (!text || params_parse(&rows[i], text, &num, &e) < 0) {
			print_error("%s: %s\n", rows[i].name, e.text);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	config_free(cfg);
}

static void every_section_loads(UNUSED void **state)
{
	struct config *cfg = config_open_empty("/etc/merpati");
	struct err e = ERR_INIT;
#define X(s)                                                                  \
	struct params_##s p_##s;                                              \
	if (params_##s##_load(cfg, &p_##s, &e) < 0)                           \
		fail_msg("%s", e.text);                                       \
	assert_ptr_equal(p_##s.config, cfg);
	CONFIG_SECTIONS(X)
#undef X
	assert_string_equal(p_core.queue_directory, "/var/spool/merpati");
	assert_string_equal(p_core.mail_name, "merpati");
	assert_int_equal(p_core.message_size_limit, 10240000);
	assert_int_equal(p_smtpd.smtpd_timeout, 300);
	assert_true(p_rewrite.append_at_myorigin);
	config_free(cfg);
}

static const struct {
	const char *text, *message;
} wrong[] = {
	{ "smtpd_timeout = 5x\n", "main.cf, line 1: smtpd_timeout = 5x: not a time" },
	{ "smtpd_timeout = 0\n", "main.cf, line 1: smtpd_timeout = 0: smaller than 1" },
	{ "a = b\nsmtpd_helo_required = maybe\n",
	  "main.cf, line 2: smtpd_helo_required = maybe: must be yes or no" },
	{ "smtpd_recipient_limit = -3\n",
	  "main.cf, line 1: smtpd_recipient_limit = -3: smaller than 1" },
	{ "smtpd_recipient_limit = 99999999999\n",
	  "main.cf, line 1: smtpd_recipient_limit = 99999999999: not a number" },
	{ "smtpd_banner = ${x\n", "main.cf, line 1: smtpd_banner: a bracket without its end" },
	{ "smtpd_banner = $smtpd_banner\n", "main.cf, line 1: smtpd_banner: too many levels" },
};

static void wrong_values_name_their_line(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = ERR_INIT;
		struct params_smtpd p;
		t_case(wrong[i].text);
		struct config *cfg = config_open_text("/x", "main.cf", sv_z(wrong[i].text), &e);
		assert_non_null(cfg);
		assert_int_equal(params_smtpd_load(cfg, &p, &e), -1);
		t_assert_sv(sv_upto(sv_z(e.text), strlen(wrong[i].message)), wrong[i].message);
		config_free(cfg);
	}
}

/* myorigin from a file that says TEXT: NULL when it is refused, and *e says why. */
static const char *origin_from(const char *dir, const char *text, struct err *e)
{
	static char line[2000];
	char path[200], main_cf[300];
	struct params_core p;
	snprintf(path, sizeof(path), "%s/mailname", dir);
	snprintf(main_cf, sizeof(main_cf), "myorigin = %s\nrelay_domains = $myorigin\n", path);
	unlink(path);
	FILE *f = text ? fopen(path, "w") : NULL;
	if (f) {
		fputs(text, f);
		fclose(f);
	}
	struct config *cfg = config_open_text(dir, "main.cf", sv_z(main_cf), e);
	assert_non_null(cfg);
	int rc = params_core_load(cfg, &p, e);
	if (rc == 0)
		snprintf(line, sizeof(line), "%s", p.myorigin);
	/* what postconf shows, and a list of domains reads, is the file's name */
	assert_string_equal(config_str(cfg, "relay_domains", e), path);
	config_free(cfg);
	return rc == 0 ? line : NULL;
}

static void a_value_may_be_the_first_line_of_a_file(UNUSED void **state)
{
	char *dir = tmpdir_new(), longer[1500];
	struct err e = ERR_INIT;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_string_equal(origin_from(dir, "example.org\n", &e), "example.org");
	assert_string_equal(origin_from(dir, " example.org \nmore\n", &e), "example.org");
	assert_string_equal(origin_from(dir, "example.org", &e), "example.org");
	assert_null(origin_from(dir, "\nexample.org\n", &e));
	assert_non_null(strstr(e.text, "main.cf, line 1: myorigin = "));
	assert_non_null(strstr(e.text, "first line"));
	assert_null(origin_from(dir, "", &e));
	assert_null(origin_from(dir, longer, &e));
	assert_null(origin_from(dir, NULL, &e));
	assert_non_null(strstr(e.text, "mailname: No such file"));
	tmpdir_remove(dir);
}

static void times_have_units(UNUSED void **state)
{
	static const struct {
		const char *text;
		char unit;
		int rc;
		long seconds;
	} cases[] = {
		{ "5", 's', 0, 5 },    { "5", 'd', 0, 432000 }, { "2h", 'd', 0, 7200 },
		{ "1w", 's', 0, 604800 }, { "3m", 's', 0, 180 },   { "", 's', -1, 0 },
		{ "m", 's', -1, 0 },   { "-1s", 's', -1, 0 },   { "99999999999s", 's', -1, 0 },
		{ "4000000000", 's', -1, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		long out = 0;
		t_case(cases[i].text);
		assert_int_equal(params_parse_time(sv_z(cases[i].text), cases[i].unit, &out),
				 cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(out, cases[i].seconds);
	}
}

static void transport_values_fall_back(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct config *cfg = config_open_text(
		"/x", "main.cf",
		SV("default_destination_concurrency_limit = 7\n"
		   "slow_destination_concurrency_limit = 1\nslow_destination_rate_delay = 2m\n"),
		&e);
	long n = 0;
	if (config_transport_int(cfg, "smtp", "_destination_concurrency_limit", &n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(n, 7);
	assert_int_equal(config_transport_int(cfg, "slow", "_destination_concurrency_limit", &n, &e),
			 0);
	assert_int_equal(n, 1);
	assert_int_equal(
		config_transport_int(cfg, "local", "_destination_concurrency_limit", &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(config_transport_int(cfg, "slow", "_destination_rate_delay", &n, &e), 0);
	assert_int_equal(n, 120);
	assert_int_equal(config_transport_int(cfg, "slow", "_no_such", &n, &e), -1);
	config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sorted_unique_and_complete),
		cmocka_unit_test(defaults_are_valid),
		cmocka_unit_test(every_section_loads),
		cmocka_unit_test(wrong_values_name_their_line),
		cmocka_unit_test(a_value_may_be_the_first_line_of_a_file),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(transport_values_fall_back),
	};
	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
