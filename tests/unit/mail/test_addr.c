/* Unit test of lib/mail/addr.c, addr_domain.c; rows E01-E07, E11 of the attack catalogue. */
#include <sys/socket.h>

#include "lib/mail/addr.h"
#include "tests/support/t.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X100 X50 X50
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
#define LAB63 X50 "xxxxxxxxxxxxx"

enum { L0 = ADDR_LOOSE, LE = ADDR_LOOSE | ADDR_EMPTY_OK, LU = ADDR_LOOSE | ADDR_UTF8 };

static const struct {
	const char *in;
	size_t len;
	unsigned flags;
	int rc;
	const char *internal, *domain, *rest;
} paths[] = {
	{ L("<user@host.example>"), 0, 1, "user@host.example", "host.example", "" },
	{ L("<user@host.example> SIZE=1 X"), 0, 1, "user@host.example", "host.example", "SIZE=1 X" },
	{ L("  user@host.example SIZE=1"), L0, 1, "user@host.example", "host.example", "SIZE=1" },
	{ L("user@host.example"), 0, -1, NULL, NULL, NULL },
	{ L("< user@host.example >"), L0, 1, "user@host.example", "host.example", "" },
	{ L("<us er@host.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<postmaster>"), 0, 1, "postmaster", "", "" },
	{ L("<user@host.example>x"), L0, -1, NULL, NULL, NULL },
	{ L(""), L0, -1, NULL, NULL, NULL },
	{ L("<user@host.example"), L0, -1, NULL, NULL, NULL },
	{ L("<user@host.example."), L0, -1, NULL, NULL, NULL },
	/* E01 */
	{ L("<>"), LE, 1, "", "", "" },
	{ L("<> BODY=7BIT"), ADDR_EMPTY_OK, 1, "", "", "BODY=7BIT" },
	{ L("<>"), L0, -1, NULL, NULL, NULL },
	/* E02 */
	{ L("<\"a b\"@d.example>"), 0, 1, "a b@d.example", "d.example", "" },
	{ L("<\"a\\\"b\"@d.example>"), 0, 1, "a\"b@d.example", "d.example", "" },
	{ L("<\"a>b\"@d.example> X"), 0, 1, "a>b@d.example", "d.example", "X" },
	{ L("<\"a@b\"@d.example>"), 0, 1, "a@b@d.example", "d.example", "" },
	{ L("<\"\"@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<\"\\\">"), L0, -1, NULL, NULL, NULL },
	{ L("<\"\\"), L0, -1, NULL, NULL, NULL },
	{ L("<a\\"), L0, -1, NULL, NULL, NULL },
	{ L("<a\"b\"@d.example>"), 0, -1, NULL, NULL, NULL },
	{ L("<a\"b\"@d.example>"), L0, 1, "ab@d.example", "d.example", "" },
	{ L("<a\\@b@d.example>"), L0, 1, "a@b@d.example", "d.example", "" },
	{ L("<a(comment)@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<a@\"d.example\">"), L0, -1, NULL, NULL, NULL },
	{ L("<\"a\nb\"@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<\"a\0b\"@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<a\0b@d.example>"), L0, -1, NULL, NULL, NULL },
	/* E03 */
	{ L("<@a.example,@b.example:u@c.example>"), 0, 1, "u@c.example", "c.example", "" },
	{ L("<@[IPv6:::1]:u@c.example>"), 0, 1, "u@c.example", "c.example", "" },
	{ L("<@:u@c.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<@a.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<@a.example:>"), L0, -1, NULL, NULL, NULL },
	/* E04: parsed as written; who may relay is decided on the final form */
	{ L("<u%x@d.example>"), 0, 1, "u%x@d.example", "d.example", "" },
	{ L("<x!u@d.example>"), 0, 1, "x!u@d.example", "d.example", "" },
	{ L("<!>"), L0, 1, "!", "", "" },
	{ L("<a!b!c>"), L0, 1, "a!b!c", "", "" },
	{ L("<u@x@d.example>"), L0, 1, "u@x@d.example", "d.example", "" },
	{ L("<u@x@d.example>"), 0, -1, NULL, NULL, NULL },
	{ L("<u@[127.0.0.1]>"), 0, 1, "u@[127.0.0.1]", "[127.0.0.1]", "" },
	{ L("<u@[IPv6:::1]>"), 0, 1, "u@[IPv6:::1]", "[IPv6:::1]", "" },
	{ L("<u@[127.0.0.1]x>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@[x]>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@[a\0b]@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@[1.2.3]>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@[1.2.3.4>"), L0, -1, NULL, NULL, NULL },
	{ L("<@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@.>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@d.example.>"), L0, 1, "u@d.example.", "d.example.", "" },
	{ L("<u@d.example.>"), 0, -1, NULL, NULL, NULL },
	{ L("<u@d..>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@-d>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@d..e>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@1.2.3.4>"), L0, -1, NULL, NULL, NULL },
	{ L("<a..b@d.example>"), L0, 1, "a..b@d.example", "d.example", "" },
	{ L("<a..b@d.example>"), 0, -1, NULL, NULL, NULL },
	{ L("<.a@d.example>"), 0, -1, NULL, NULL, NULL },
	/* E05: a leading '-' is policy, not grammar */
	{ L("<-x@d.example>"), L0, 1, "-x@d.example", "d.example", "" },
	/* E06 */
	{ L("<" LAB63 "x@d.example>"), 0, 1, LAB63 "x@d.example", "d.example", "" },
	{ L("<" LAB63 "xx@d.example>"), ADDR_STRICT_LENGTH, -1, NULL, NULL, NULL },
	{ L("<" LAB63 "xx@d.example>"), L0, 1, LAB63 "xx@d.example", "d.example", "" },
	{ L("<" X1000 X100 "@d.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@" LAB63 "." LAB63 "." LAB63 "." LAB63 ">"), L0, 1,
		"u@" LAB63 "." LAB63 "." LAB63 "." LAB63, LAB63 "." LAB63 "." LAB63 "." LAB63, "" },
	{ L("<u@" LAB63 "x.example>"), L0, -1, NULL, NULL, NULL },
	{ L("<u@" LAB63 "." LAB63 "." LAB63 "." LAB63 ".x>"), L0, -1, NULL, NULL, NULL },
	/* E07 */
	{ L("<j\xc3\xb6rg@ex\xc3\xa4mple.com>"), L0, -1, NULL, NULL, NULL },
	{ L("<j\xc3\xb6rg@ex\xc3\xa4mple.com>"), LU, 1, "j\xc3\xb6rg@ex\xc3\xa4mple.com",
		"ex\xc3\xa4mple.com", "" },
	{ L("<j\xf0\x9f@d.example>"), LU, -1, NULL, NULL, NULL },
	{ L("<j\xc0\xaf@d.example>"), LU, -1, NULL, NULL, NULL },
	{ L("<j\xed\xa0\x80@d.example>"), LU, -1, NULL, NULL, NULL },
	{ L("<u@d\xff.example>"), LU, -1, NULL, NULL, NULL },
};

static void parses_paths(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct addr_path path;
		struct buf out;
		const char *why = NULL;
		buf_init(&out, 4096);
		t_case(paths[i].in);
		int rc = addr_path_parse(sv_n(paths[i].in, paths[i].len), paths[i].flags, &out, &path,
			&why);
		if (rc != paths[i].rc)
			print_error("[%s]: %s\n", paths[i].in, why ? why : "accepted");
		assert_int_equal(rc, paths[i].rc);
		if (rc == 1) {
			t_assert_sv(path.internal, paths[i].internal);
			t_assert_sv(path.domain, paths[i].domain);
			t_assert_sv(path.rest, paths[i].rest);
		} else {
			assert_non_null(why);
			assert_int_equal(out.len, 0);
		}
		buf_free(&out);
	}
}

static const struct {
	const char *internal, *external;
} quotes[] = {
	{ "", "" },
	{ "user@d.example", "user@d.example" },
	{ "user", "user" },
	{ "a b@d.example", "\"a b\"@d.example" },
	{ "a\"b\\c@d.example", "\"a\\\"b\\\\c\"@d.example" },
	{ "a@b@d.example", "\"a@b\"@d.example" },
	{ "a..b@d.example", "\"a..b\"@d.example" },
	{ ".a@d", "\".a\"@d" },
	{ "@d.example", "\"\"@d.example" },
	{ "a,b", "\"a,b\"" },
	{ "a+b=c@d", "a+b=c@d" },
	{ "j\xc3\xb6rg@d", "j\xc3\xb6rg@d" },
};

static void quotes_and_unquotes(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
		struct buf out;
		buf_init(&out, 4096);
		t_case(quotes[i].internal);
		assert_int_equal(addr_quote(&out, sv_z(quotes[i].internal)), 0);
		t_assert_sv(buf_sv(&out), quotes[i].external);
		buf_reset(&out);
		assert_int_equal(addr_unquote(&out, sv_z(quotes[i].external)), 0);
		t_assert_sv(buf_sv(&out), quotes[i].internal);
		buf_free(&out);
	}
	struct buf out;
	buf_init(&out, 100);
	assert_int_equal(addr_quote(&out, SV("a\r\nb@c\nd")), 0);
	t_assert_sv(buf_sv(&out), "\"a??b\"@c?d");
	buf_reset(&out);
	assert_int_equal(addr_unquote(&out, SV("\"a\\")), 0);
	t_assert_sv(buf_sv(&out), "a");
	buf_free(&out);
}

static const struct {
	const char *name;
	bool ok, ok_utf8;
} names[] = {
	{ "host", true, true },
	{ "a.b-c.example", true, true },
	{ "foo_bar.example", true, true },
	{ "", false, false },
	{ ".", false, false },
	{ ".a", false, false },
	{ "a.", false, false },
	{ "a..b", false, false },
	{ "-a", false, false },
	{ "a-", false, false },
	{ "a-.b", false, false },
	{ "a b", false, false },
	{ "a%b", false, false },
	{ "1.2.3.4", false, false },
	{ "1.2.3.example", true, true },
	{ "4.example", true, true },
	{ "ex\xc3\xa4mple.com", false, true },
	{ "ex\xc3.com", false, false },
	{ LAB63 ".example", true, true },
	{ LAB63 "x.example", false, false },
};

static void checks_names(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		t_case(names[i].name);
		if (addr_hostname_valid(sv_z(names[i].name)) != names[i].ok ||
			addr_hostname_valid_utf8(sv_z(names[i].name)) != names[i].ok_utf8)
			fail_msg("[%s]", names[i].name);
	}
	struct sv ip;
	int family;
	assert_true(addr_literal_ip(SV("[1.2.3.4]"), &ip, &family));
	t_assert_sv(ip, "1.2.3.4");
	assert_int_equal(family, AF_INET);
	assert_true(addr_literal_ip(SV("[ipv6:fe80::1]"), &ip, &family));
	t_assert_sv(ip, "fe80::1");
	assert_int_equal(family, AF_INET6);
	assert_false(addr_literal_ip(SV("[fe80::1]"), &ip, &family));
	assert_false(addr_literal_ip(SV("["), &ip, &family));
	assert_false(addr_literal_ip(SV("[1.2.3.4\0]"), &ip, &family));
	assert_false(addr_ipv4_valid(SV("1.2.3.256")));
	assert_false(addr_ipv6_valid(SV("1.2.3.4")));
}

static const struct {
	const char *local, *delimiters;
	bool ownreq;
	int rc;
	const char *user, *ext;
} exts[] = {
	{ "user+ext", "+", true, 1, "user", "ext" },
	{ "user+", "+", true, 1, "user", "" },
	{ "+ext", "+", true, 0, "+ext", "" },
	{ "user-a+b", "+-", true, 1, "user", "a+b" },
	{ "user+a-b", "+-", true, 1, "user", "a-b" },
	{ "user", "+", true, 0, "user", "" },
	{ "user+ext", "", true, 0, "user+ext", "" },
	{ "owner-list", "-", true, 0, "owner-list", "" },
	{ "list-request", "-", true, 0, "list-request", "" },
	{ "owner-list", "-", false, 1, "owner", "list" },
	{ "-request", "-", true, 0, "-request", "" },
	{ "Mailer-Daemon", "-", false, 0, "Mailer-Daemon", "" },
	{ "double-bounce", "-", false, 0, "double-bounce", "" },
};

static void splits_extensions(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(exts); i++) {
		struct sv user, ext;
		char delim;
		t_case(exts[i].local);
		assert_int_equal(addr_split_ext(sv_z(exts[i].local), exts[i].delimiters,
					 exts[i].ownreq, &user, &ext, &delim),
			exts[i].rc);
		t_assert_sv(user, exts[i].user);
		t_assert_sv(ext, exts[i].ext);
		assert_int_equal(delim != '\0', exts[i].rc);
	}
}

static void folds_and_compares(UNUSED void **state)
{
	struct buf out;
	buf_init(&out, 100);
	assert_int_equal(addr_fold(&out, SV("User@HOST")), 0);
	t_assert_sv(buf_sv(&out), "user@host");
	buf_reset(&out);
	assert_int_equal(addr_fold_domain(&out, SV("User@X@HOST")), 0);
	t_assert_sv(buf_sv(&out), "User@X@host");
	buf_free(&out);
	assert_true(addr_eq(SV("a@B"), SV("a@b")));
	assert_false(addr_eq(SV("A@b"), SV("a@b")));
	assert_false(addr_eq(SV("a@"), SV("a")));
	assert_true(addr_ieq(SV("A@b"), SV("a@B")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_paths),
		cmocka_unit_test(quotes_and_unquotes),
		cmocka_unit_test(checks_names),
		cmocka_unit_test(splits_extensions),
		cmocka_unit_test(folds_and_compares),
	};
	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
