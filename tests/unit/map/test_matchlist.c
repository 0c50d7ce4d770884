/* Unit test of lib/map/matchlist.c, cidr.c and split.c. */
#include "tests/support/t.h"
#include "lib/map/matchlist.h"

static struct matchlist *list(const char *text, unsigned flags)
{
	struct err e = ERR_INIT;
	struct matchlist *m = matchlist_open("mydestination", text, flags, NULL, &e);
	if (!m)
		fail_msg("%s: %s", text, e.text);
	return m;
}

static const struct {
	const char *list;
	unsigned flags;
	const char *domain;
	int rc;
} domains[] = {
	{ "a.example, b.example", 0, "B.Example", 1 }, { "a.example", 0, "x.a.example", 0 },
	{ "a.example", MATCHLIST_PARENT, "x.a.example", 1 },
	{ "a.example", MATCHLIST_PARENT, "xa.example", 0 },
	{ ".a.example", 0, "x.a.example", 1 }, { ".a.example", 0, "a.example", 0 },
	{ "!b.a.example .a.example", 0, "b.a.example", 0 },
	{ "!b.a.example .a.example", 0, "c.a.example", 1 },
	{ "", 0, "x", 0 }, { " , ,a ,", 0, "a", 1 }, { "[1.2.3.4]", 0, "[1.2.3.4]", 1 },
	{ "inline:{a.example=x}", 0, "a.example", 1 },
	{ "inline:{.a.example=x}", 0, "y.a.example", 1 },
	{ "inline:{a.example=x}", MATCHLIST_PARENT, "y.a.example", 1 },
	{ "inline:{a.example=x}", 0, "y.a.example", 0 },
	{ "!inline:{a.example=x} static:all", 0, "a.example", 0 },
	{ "static:all", 0, "a.example", 1 },
	{ "a fail:x", 0, "a", 1 }, { "a fail:x", 0, "b", -1 },
	{ "hash:/nonexistent/table", 0, "b", -1 },
	{ "a /nonexistent/file b", 0, "a", 1 }, { "a /nonexistent/file b", 0, "b", -1 },
};

static void domain_lists(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
		struct err e = ERR_INIT;
		struct matchlist *m = list(domains[i].list, domains[i].flags);
		int rc = matchlist_domain(m, sv_z(domains[i].domain), &e);
		if (rc != domains[i].rc)
			fail_msg("[%s] [%s]: %d", domains[i].list, domains[i].domain, rc);
		matchlist_free(m);
	}
}

static const struct {
	const char *list, *name, *addr;
	int rc;
} hosts[] = {
	{ "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "localhost", "127.0.0.1", 1 },
	{ "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "localhost", "::1", 1 },
	{ "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "x", "10.0.0.1", 0 },
	{ "!10.1.0.0/16 10.0.0.0/8", "x", "10.1.2.3", 0 },
	{ "!10.1.0.0/16 10.0.0.0/8", "x", "10.2.2.3", 1 },
	{ "192.0.2.1", "x", "192.0.2.1", 1 }, { "192.0.2.1", "x", "192.0.2.11", 0 },
	{ "[2001:db8::]/32", "x", "2001:db8:0:1::5", 1 }, { "[2001:db8::1]", "x", "2001:DB8::1", 1 },
	{ "0.0.0.0/0", "x", "1.2.3.4", 1 }, { "0.0.0.0/0", "x", "::1", 0 },
	{ "mail.example", "mail.example", "1.2.3.4", 1 }, { ".example", "mail.example", "1.2.3.4", 1 },
	{ "unknown", "unknown", "1.2.3.4", 0 }, { "static:all", "unknown", "1.2.3.4", 1 },
	{ "cidr:{{10.0.0.0/8 yes}}", "x", "10.9.9.9", 1 }, { "10.0.0.0/8", "x", "garbage", 0 },
	{ "inline:{1.2.3.4=x}", "name", "1.2.3.4", 1 },
};

static void host_lists(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct err e = ERR_INIT;
		struct matchlist *m = list(hosts[i].list, 0);
		int rc = matchlist_host(m, sv_z(hosts[i].name), sv_z(hosts[i].addr), &e);
		if (rc != hosts[i].rc)
			fail_msg("[%s] %s[%s]: %d", hosts[i].list, hosts[i].name, hosts[i].addr, rc);
		matchlist_free(m);
	}
}

static void mistakes_are_errors(UNUSED void **state)
{
	static const struct {
		const char *list, *why;
	} bad[] = {
		{ "10.0.0.0/33", "prefix length" }, { "10.0.0.1/8", "host bits" },
		{ "[::1", "without \"]\"" }, { "[::1]x", "text after" }, { "[bad]", "not an address" },
		{ "10.0.0/8", "not an address" }, { "::1", "written in [ ]" },
		{ "2001:db8::/32", "written in [ ]" }, { "!", "no pattern" },
		{ "!/etc/hosts", "cannot be negated" },
		{ "{a b", "without its" }, { "10.0.0.0/", "prefix length" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;
		assert_null(matchlist_open("mynetworks", bad[i].list, 0, NULL, &e));
		if (!strstr(e.text, bad[i].why) || strncmp(e.text, "mynetworks: ", 12) != 0)
			fail_msg("[%s] says [%s]", bad[i].list, e.text);
	}
}

static void files_hold_patterns(UNUSED void **state)
{
	char path[] = "/tmp/merpati-list.XXXXXX", text[64];
	int fd = mkstemp(path);
	struct err e = ERR_INIT;
	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "w");
	fputs("# comment\n10.0.0.0/8\n  # another\n\n!a.example .example, b\n", f);
	fclose(f);
	snprintf(text, sizeof(text), "first %s last", path);
	struct matchlist *m = list(text, 0);
	assert_int_equal(matchlist_host(m, SV("x"), SV("10.1.1.1"), &e), 1);
	assert_int_equal(matchlist_domain(m, SV("a.example"), &e), 0);
	assert_int_equal(matchlist_domain(m, SV("z.example"), &e), 1);
	assert_int_equal(matchlist_string(m, SV("LAST"), &e), 1);
	assert_int_equal(matchlist_string(m, SV("z.example"), &e), 0);
	matchlist_free(m);
	/* a file that names itself ends */
	f = fopen(path, "w");
	fputs(path, f);
	fclose(f);
	assert_null(matchlist_open("x", path, 0, NULL, &e));
	assert_non_null(strstr(e.text, "too deep"));
	unlink(path);
}

static void parent_flags(UNUSED void **state)
{
	const char *all = "debug_peer_list,mynetworks, relay_domains";
	assert_int_equal(matchlist_parent_flag(all, "mynetworks"), MATCHLIST_PARENT);
	assert_int_equal(matchlist_parent_flag(all, "mydestination"), 0);
	assert_int_equal(matchlist_parent_flag("", "mynetworks"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domain_lists),     cmocka_unit_test(host_lists),
		cmocka_unit_test(mistakes_are_errors), cmocka_unit_test(files_hold_patterns),
		cmocka_unit_test(parent_flags),
	};
	return cmocka_run_group_tests_name("matchlist", tests, NULL, NULL);
}
