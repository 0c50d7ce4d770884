/* Unit test of lib/map/map.c and the types of tables; results as Postfix's postmap -q gives them. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/t.h"
#include "lib/map/map.h"
#include "lib/map/mapfile.h"

static char dir[] = "/tmp/merpati-map.XXXXXX";

static char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static struct map *open_file(const char *type, const char *name)
{
	char spec[160];
	snprintf(spec, sizeof(spec), "%s:%s/%s", type, dir, name);
	return map_open(spec, 0);
}

/* KEY gives WANT; NULL: is not there. */
static void expect(struct map *m, const char *key, const char *want)
{
	struct err e = ERR_INIT;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = map_lookup(m, sv_z(key), &value, &e);
	if (rc < 0)
		fail_msg("%s in %s: %s", key, map_spec(m), e.text);
	t_case(key);
	assert_int_equal(rc, want ? 1 : 0);
	t_assert_sv(buf_sv(&value), want ? want : "");
	buf_free(&value);
}

static void expect_failure(struct map *m, const char *why)
{
	struct err e = ERR_INIT;
	struct buf value;
	buf_init(&value, MAP_VALUE_MAX);
	assert_int_equal(map_lookup(m, SV("key"), &value, &e), -1);
	if (!strstr(e.text, why))
		fail_msg("[%s] does not say [%s]", e.text, why);
	assert_int_equal(value.len, 0);
	buf_free(&value);
}

static void tables_in_the_name(UNUSED void **state)
{
	struct map *m = map_open("inline:{a=b, {c = d e}, C2=x y=}", 0);
	expect(m, "a", "b");
	expect(m, "A", "b");
	expect(m, "c", "d e");
	expect(m, "c2", "x");
	expect(m, "y", "");
	expect(m, "z", NULL);
	assert_true(map_is_pure(m));
	map_free(m);
	m = map_open("static:{a b}", 0);
	expect(m, "anything", "a b");
	expect(m, "", NULL);
	map_free(m);
	m = map_open("proxy:static:x", 0);
	expect(m, "y", "x");
	assert_string_equal(map_spec(m), "static:x");
	map_free(m);
	m = map_open("unix:passwd.byname", 0);
	expect(m, "no-such-user-here", NULL);
	expect(m, "ROOT", "root:x:0:0:root:/root:/bin/bash");
	assert_true(map_may_hang(m));
	map_free(m);
}

static void failures_are_not_absence(UNUSED void **state)
{
	static const struct {
		const char *spec, *why;
	} bad[] = {
		{ "fail:x", "always fails" }, { "nosuch:x", "unsupported table type" },
		{ "novalue", "type:name is wanted" }, { "hash:/nonexistent/x", "No such file" },
		{ "texthash:/nonexistent/x", "No such file" }, { "unix:shadow", "only passwd" },
		{ "inline:a=b", "a list in { }" }, { "inline:{a}", "not key=value" },
		{ "inline:{{a=b}", "without its" }, { "regexp:/nonexistent", "No such file" },
		{ "texthash:/", "not a regular file" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct map *m = map_open(bad[i].spec, 0);
		expect_failure(m, bad[i].why);
		map_free(m);
	}
}

static void text_files(UNUSED void **state)
{
	write_file("text", "KEY1 a b\n  c d\n# com\n\te\nkey2\nKEY2  x\nkey2 dup\nk3 v # c\n");
	struct map *m = open_file("texthash", "text");
	expect(m, "key1", "a b  c d\te");
	expect(m, "Key2", "x");
	expect(m, "k3", "v # c");
	expect(m, "nokey", NULL);
	map_free(m);
}

static void replaced_and_missing_files_are_noticed(UNUSED void **state)
{
	write_file("text", "a 1\n");
	struct map *m = open_file("texthash", "text");
	expect(m, "a", "1");
	write_file("text", "a two\n");
	expect(m, "a", "two");
	unlink(path_of("text"));
	expect_failure(m, "No such file");
	write_file("text", "a 3\n");
	expect(m, "a", "3");
	map_free(m);
	unlink(path_of("text"));
}

/* Opened by root, looked up by somebody who may not open it: what proxymap does in a system instance. */
static void held_tables(UNUSED void **state)
{
	struct err e = ERR_INIT;
	char closed[128], old[128], new[128];
	if (geteuid() != 0)
		skip();
	snprintf(closed, sizeof(closed), "%s/closed", dir);
	assert_int_equal(mkdir(closed, 0700), 0);
	snprintf(old, sizeof(old), "%s/closed/table", dir);
	snprintf(new, sizeof(new), "%s/closed/new", dir);
	write_file("closed/table", "key value\n");
	write_file("secret", "key secret\n");
	write_file("plain", "key plain\n");
	assert_int_equal(chmod(path_of("secret"), 0600), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	struct map *far = open_file("texthash", "closed/table"), *near = open_file("texthash", "secret");
	struct map *plain = open_file("texthash", "plain"), *absent = open_file("texthash", "absent");
	assert_int_equal(map_hold(far, &e), 0);
	assert_int_equal(map_hold(near, &e), 0);
	assert_int_equal(map_hold(plain, &e), 0);
	assert_int_equal(map_hold(absent, &e), -1);
	assert_int_equal(seteuid(65534), 0);
	expect(far, "key", "value");
	expect(near, "key", "secret");
	expect(plain, "key", "plain");
	assert_int_equal(seteuid(0), 0);
	write_file("closed/new", "key new\n");
	assert_int_equal(rename(new, old), 0);
	write_file("new", "key new secret\n");
	snprintf(new, sizeof(new), "%s", path_of("new"));
	assert_int_equal(chmod(new, 0600), 0);
	assert_int_equal(rename(new, path_of("secret")), 0);
	write_file("new", "key new plain\n");
	assert_int_equal(rename(new, path_of("plain")), 0);
	write_file("absent", "key here\n");
	assert_int_equal(chmod(path_of("absent"), 0644), 0);
	assert_int_equal(chmod(path_of("plain"), 0644), 0);
	assert_int_equal(seteuid(65534), 0);
	expect_failure(far, "Permission denied");
	expect_failure(near, "Permission denied");
	expect_failure(near, "Permission denied"); /* and stays so */
	assert_true(map_is_stale(far) && map_is_stale(near));
	expect(plain, "key", "new plain"); /* it can be opened by anybody */
	expect(absent, "key", "here");
	assert_false(map_is_stale(plain) || map_is_stale(absent));
	assert_int_equal(seteuid(0), 0);
	map_free(far);
	map_free(near);
	map_free(plain);
	map_free(absent);
	static const char *const names[] = { "closed/table", "secret", "plain", "absent" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(unlink(path_of(names[i])), 0);
	assert_int_equal(rmdir(closed), 0);
}

static void expressions(UNUSED void **state)
{
	write_file("re", "/^a(.)(.*)$/ $2-${1}x $$ $(1)\n!/^b/ notb $1\nif /^bc/\n/^bcd/i BCD\nendif\n"
			 "/x/ y\n/CASE/i z\n/unterminated\nfoo\n/b(/ z\n/b/q z\n/^b/ B\n/e(f)?/ $3\n"
			 "if !/^z/\n/^[y-z]/ Y\nendif\n!/zz/ neither\n");
	struct map *m = open_file("regexp", "re");
	expect(m, "abcd", "cd-bx $ b");
	expect(m, "bcd", "BCD");
	expect(m, "BCDE", "B"); /* "i" switches the usual indifference to case off */
	expect(m, "CASE", "z");
	expect(m, "zz", NULL);
	expect(m, "yes", "Y");
	map_free(m);
	write_file("re", "/^(.)(.)?x/ <$1|$2>\n/^A/ii a\n/^q\\/r/ slash\n#c\n/^l/\n  long\n  er\n");
	m = open_file("regexp", "re");
	expect(m, "kx", "<k|>");
	expect(m, "kyx", "<k|y>");
	expect(m, "q/r", "slash");
	expect(m, "later", "long  er");
	expect(m, "zzz", NULL);
	assert_true(map_is_pattern(m));
	map_free(m);
	m = map_open("regexp:/dev/null", 0);
	expect(m, "x", NULL);
	map_free(m);
	m = map_open("regexp:{ {/x/ y z}, {/q/ w} }", 0);
	expect(m, "x", "y z");
	expect(m, "q", "w");
	map_free(m);
	m = map_open("regexp:{ {/(x)/ $1} {/x/ plain} }", MAP_NO_SUBST);
	expect(m, "x", "plain");
	map_free(m);
	unlink(path_of("re"));
}

static void networks(UNUSED void **state)
{
	write_file("ci", "10.0.0.0/8 ten\n!192.168.0.0/16 not\nif 192.168.1.0/24\n192.168.1.1 one\n"
			 "endif\n2001:db8::/32 six\n192.168.0.5/16 x\n[::1] loop\n");
	struct map *m = open_file("cidr", "ci");
	expect(m, "10.1.2.3", "ten");
	expect(m, "192.168.1.1", "one");
	expect(m, "192.168.1.2", NULL);
	expect(m, "11.0.0.1", "not");
	expect(m, "2001:db8::1", "six");
	expect(m, "::1", "loop");
	expect(m, "foo", NULL);
	map_free(m);
	unlink(path_of("ci"));
}

static void build(const char *spec, const char *const *pairs, const struct mapfile_options *opt)
{
	struct err e = ERR_INIT;
	struct mapfile *f;
	if (mapfile_begin(spec, opt, &f, &e) < 0)
		fail_msg("%s", e.text);
	for (; *pairs; pairs += 2)
		if (mapfile_put(f, sv_z(pairs[0]), sv_z(pairs[1]), MAPFILE_DUP_WARN, &e) < 0)
			fail_msg("%s", e.text);
	if (mapfile_commit(f, &e) < 0)
		fail_msg("%s", e.text);
}

static int count_each(void *arg, UNUSED struct sv key, UNUSED struct sv value)
{
	++*(int *)arg;
	return 0;
}

static void indexed_tables(void **state)
{
	const char *type = *state;
	static const char *const first[] = { "Key", "value one", "b", "2", "b", "again", NULL };
	static const char *const more[] = { "c", "3", NULL };
	struct mapfile_options opt = { .no_fold = false };
	struct err e = ERR_INIT;
	struct mapfile *f;
	char spec[160];
	int n = 0;
	snprintf(spec, sizeof(spec), "%s:%s/db", type, dir);
	write_file("db", "source\n");
	chmod(path_of("db"), 0640);
	struct map *m = map_open(spec, 0);
	expect_failure(m, "No such file");
	build(spec, first, &opt);
	expect(m, "KEY", "value one");
	expect(m, "b", "2"); /* the first of two entries stays */
	expect(m, "c", NULL);
	opt.keep_old = true;
	build(spec, more, &opt);
	expect(m, "c", "3");
	expect(m, "key", "value one");
	assert_int_equal(map_each(m, count_each, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(mapfile_begin(spec, &opt, &f, &e), 0);
	assert_int_equal(mapfile_del(f, SV("B"), &e), 1);
	assert_int_equal(mapfile_del(f, SV("nosuch"), &e), 0);
	expect(m, "b", "2"); /* readers see the old table until the commit */
	assert_int_equal(mapfile_commit(f, &e), 0);
	expect(m, "b", NULL);
	struct stat st;
	assert_int_equal(stat(path_of("db.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* an abandoned change leaves nothing */
	assert_int_equal(mapfile_begin(spec, &opt, &f, &e), 0);
	mapfile_abort(f);
	expect(m, "key", "value one");
	/* keys stored without NUL are found too */
	opt = (struct mapfile_options){ .null_terminated = -1 };
	build(spec, more, &opt);
	expect(m, "c", "3");
	expect(m, "key", NULL);
	map_free(m);
	write_file("db.db", "this is no database");
	m = map_open(spec, 0);
	expect_failure(m, "db.db");
	map_free(m);
	unlink(path_of("db"));
	unlink(path_of("db.db"));
}

static void only_indexed_types_can_be_written(UNUSED void **state)
{
	struct mapfile_options opt = { .no_fold = false };
	struct err e = ERR_INIT;
	struct mapfile *f;
	assert_int_equal(mapfile_begin("regexp:/x", &opt, &f, &e), -1);
	assert_string_equal(e.text, "unsupported map type for this operation: regexp");
	assert_int_equal(mapfile_begin("hash:/nonexistent/x", &opt, &f, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
}

static int make_dir(UNUSED void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(UNUSED void **state)
{
	unlink(path_of("text"));
	return rmdir(dir); /* fails when a test left something behind */
}

int main(void)
{
	char hash[] = "hash", btree[] = "btree";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_in_the_name),
		cmocka_unit_test(failures_are_not_absence),
		cmocka_unit_test(text_files),
		cmocka_unit_test(replaced_and_missing_files_are_noticed),
		cmocka_unit_test(held_tables),
		cmocka_unit_test(expressions),
		cmocka_unit_test(networks),
		cmocka_unit_test_prestate(indexed_tables, hash),
		cmocka_unit_test_prestate(indexed_tables, btree),
		cmocka_unit_test(only_indexed_types_can_be_written),
	};
	return cmocka_run_group_tests_name("map", tests, make_dir, remove_dir);
}
