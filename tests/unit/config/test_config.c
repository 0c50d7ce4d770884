/* Unit test of lib/config/config.c, computed.c, paths.c, file.c. */
#include <sys/stat.h>

#include "tests/support/t.h"
#include "lib/config/config.h"
#include "lib/config/params.h"
#include "lib/config/paths.h"

static struct config *open_text(const char *text)
{
	struct err e = ERR_INIT;
	struct config *cfg = config_open_text("/etc/x", "/etc/x/main.cf", sv_z(text), &e);
	if (!cfg)
		fail_msg("%s", e.text);
	return cfg;
}

static void later_entries_win_with_a_warning(UNUSED void **state)
{
	struct config *cfg = open_text("a = 1\nb=2\na = 3\n");
	struct sv v;
	assert_int_equal(config_get(cfg, "a", &v), 1);
	t_assert_sv(v, "3");
	assert_int_equal(config_line(cfg, "a"), 3);
	assert_string_equal(config_where(cfg, "a"), "/etc/x/main.cf, line 3");
	assert_string_equal(config_where(cfg, "myhostname"), "built-in default");
	assert_string_equal(config_warning(cfg, 0),
			    "/etc/x/main.cf, line 3: overriding earlier entry: a=1");
	assert_null(config_warning(cfg, 1));
	config_free(cfg);
}

static void overrides_are_stronger(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct config *cfg = open_text("syslog_name = a\n");
	assert_int_equal(config_service(cfg, "submission", &e), 0);
	assert_int_equal(config_override_arg(cfg, "syslog_name = x/$service_name", &e), 0);
	assert_int_equal(config_override_arg(cfg, "no equals sign", &e), -1);
	assert_string_equal(config_str(cfg, "syslog_name", &e), "x/submission");
	assert_string_equal(config_where(cfg, "syslog_name"), "-o option");
	assert_null(config_warning(cfg, 0));
	config_free(cfg);
}

static void names_of_the_host_are_computed(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct config *cfg = open_text("myhostname = mail.example.org\nmynetworks_style = host\n");
	assert_string_equal(config_str(cfg, "mydomain", &e), "example.org");
	assert_string_equal(config_str(cfg, "mydestination", &e),
			    "mail.example.org, localhost.example.org, localhost");
	const char *networks = config_str(cfg, "mynetworks", &e);
	assert_non_null(networks);
	assert_non_null(strstr(networks, "127.0.0.0/8"));
	config_free(cfg);
	cfg = open_text("myhostname = mail\nmynetworks_style = hots\n");
	assert_string_equal(config_str(cfg, "mydomain", &e), "localdomain");
	assert_null(config_str(cfg, "mynetworks", &e));
	assert_non_null(strstr(e.text, "line 2: mynetworks_style = hots"));
	config_free(cfg);
}

static void foreign_directories_are_replaced(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct sv v;
	struct config *cfg = open_text("queue_directory = /var/spool/postfix\nmail_owner = postfix\n"
				       "data_directory = /srv/mine\nx = $queue_directory/y\n");
	assert_string_equal(config_str(cfg, "x", &e), "/var/spool/merpati/y");
	assert_string_equal(config_str(cfg, "queue_directory", &e), "/var/spool/merpati");
	assert_string_equal(config_str(cfg, "mail_owner", &e), "merpati");
	assert_string_equal(config_str(cfg, "data_directory", &e), "/srv/mine");
	assert_string_equal(config_warning(cfg, 0),
			    "/etc/x/main.cf, line 1: queue_directory = /var/spool/postfix is a Postfix "
			    "installation's; using /var/spool/merpati");
	assert_non_null(config_warning(cfg, 1));
	assert_null(config_warning(cfg, 2)); /* once for each name */
	config_show_foreign(cfg, true);
	assert_int_equal(config_get(cfg, "queue_directory", &v), 1);
	t_assert_sv(v, "/var/spool/postfix");
	config_free(cfg);
	assert_true(paths_is_foreign("mail_name", SV("Postfix")));
	assert_false(paths_is_foreign("mail_name", SV("Poststelle")));
	assert_false(paths_is_foreign("myhostname", SV("postfix")));
}

static void single_values_are_typed(UNUSED void **state)
{
	struct err e = ERR_INIT;
	bool b = false;
	int n = 0;
	long t = 0;
	struct config *cfg = open_text("b = YES\nn = -4\nt = 3\nw = 2w\nbad = 1x\n");
	assert_int_equal(config_bool(cfg, "b", &b, &e), 0);
	assert_true(b);
	assert_int_equal(config_int(cfg, "n", &n, &e), 0);
	assert_int_equal(n, -4);
	assert_int_equal(config_time(cfg, "t", 'h', &t, &e), 0);
	assert_int_equal(t, 10800);
	assert_int_equal(config_time(cfg, "w", 's', &t, &e), 0);
	assert_int_equal(t, 1209600);
	assert_int_equal(config_int(cfg, "bad", &n, &e), -1);
	assert_string_equal(e.text, "/etc/x/main.cf, line 5: bad = 1x: not a number");
	assert_int_equal(config_bool(cfg, "nosuch", &b, &e), -1);
	config_free(cfg);
}



static void collect(void *arg, const char *name, struct sv value, unsigned line)
{
	buf_printf(arg, "%s=%.*s:%u ", name, SV_ARG(value), line);
}

static void names_are_listed_sorted(UNUSED void **state)
{
	struct buf out;
	struct config *cfg = open_text("z = 1\na = 2\nm = $z\n");
	buf_init(&out, 1000);
	config_each(cfg, collect, &out);
	t_assert_sv(buf_sv(&out), "a=2:2 m=$z:3 z=1:1 ");
	buf_free(&out);
	config_free(cfg);
}

static void files_are_read(UNUSED void **state)
{
	struct err e = ERR_INIT;
	char dir[] = "/tmp/merpati-config.XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	assert_null(config_open(dir, &e));
	assert_non_null(strstr(e.text, "main.cf: No such file"));
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("myorigin = example.net\n", f);
	fclose(f);
	struct config *cfg = config_open(dir, &e);
	assert_non_null(cfg);
	assert_string_equal(config_str(cfg, "myorigin", &e), "example.net");
	assert_string_equal(config_str(cfg, "config_directory", &e), dir);
	config_free(cfg);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(config_open(dir, &e));
	assert_non_null(strstr(e.text, "not a regular file"));
	rmdir(path);
	rmdir(dir);
}

static void programs_find_their_prefix(UNUSED void **state)
{
	struct buf out;
	buf_init(&out, 4096);
	assert_true(paths_builtin("daemon_directory", &out));
	assert_true(sv_ends(buf_sv(&out), SV("/libexec/merpati")));
	assert_false(paths_builtin("no such kind", &out));
	buf_free(&out);
	assert_string_equal(paths_config_dir(), "/etc/merpati");
	assert_true(config_dir_allowed("/etc/merpati"));
	assert_false(config_dir_allowed("/tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_entries_win_with_a_warning),
		cmocka_unit_test(overrides_are_stronger),
		cmocka_unit_test(names_of_the_host_are_computed),
		cmocka_unit_test(foreign_directories_are_replaced),
		cmocka_unit_test(single_values_are_typed),
		cmocka_unit_test(names_are_listed_sorted),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(programs_find_their_prefix),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
