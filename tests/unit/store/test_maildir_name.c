/* Unit test of lib/store/maildir_name.c, folder_name.c: names in, names out. */
#include "tests/support/t.h"

#include "lib/store/folder_name.h"
#include "lib/store/maildir_name.h"

#define KEY "00112233445566778899aabbccddeeff"

static const struct {
	const char *name;
	size_t len;
	int rc;
	const char *base;
	uint32_t flags, keywords;
	uint64_t size, vsize;
	const char *key;
} names[] = {
	{ L("1.M2P3.h"), 1, "1.M2P3.h", 0, 0, 0, 0, "" },
	{ L("1.M2P3.h:2,"), 1, "1.M2P3.h", 0, 0, 0, 0, "" },
	{ L("1.M2P3.h,S=10,W=12:2,FS"), 1, "1.M2P3.h,S=10,W=12", STORE_FLAGGED | STORE_SEEN, 0, 10,
	        12, "" },
	{ L("1.h:2,DFPRSTaz"), 1, "1.h", 63, 1u | 1u << 25, 0, 0, "" },
	{ L("1.h:2,XQS"), 1, "1.h", STORE_SEEN, 0, 0, 0, "" },
	{ L("1.h:1,S"), 1, "1.h", 0, 0, 0, 0, "" },
	{ L("1.K" KEY ".h,S=5,W=6"), 1, "1.K" KEY ".h,S=5,W=6", 0, 0, 5, 6, KEY },
	{ L("1.K" KEY ":2,S"), 1, "1.K" KEY, STORE_SEEN, 0, 0, 0, KEY },
	{ L("1.K0011.h"), 1, "1.K0011.h", 0, 0, 0, 0, "" },
	{ L("1.K" KEY "0.h"), 1, "1.K" KEY "0.h", 0, 0, 0, 0, "" },
	{ L("1.K0011223344556677889GAABBCCDDEEFF.h"), 1, NULL, 0, 0, 0, 0, "" },
	{ L("1.h,S=10,W=9"), 1, NULL, 0, 0, 10, 0, "" },
	{ L("1.h,S=99999999999999999999999"), 1, NULL, 0, 0, 0, 0, "" },
	{ L("1.h,S=,W=x"), 1, NULL, 0, 0, 0, 0, "" },
	{ L(""), 0, NULL, 0, 0, 0, 0, "" },
	{ L(".hidden"), 0, NULL, 0, 0, 0, 0, "" },
	{ L(":2,S"), 0, NULL, 0, 0, 0, 0, "" },
	{ L("a/b"), 0, NULL, 0, 0, 0, 0, "" },
	{ L("a\nb"), 0, NULL, 0, 0, 0, 0, "" },
	{ L("a\0b"), 0, NULL, 0, 0, 0, 0, "" },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct maildir_name n;
		t_case(names[i].name);
		assert_int_equal(
		        maildir_name_parse(sv_n(names[i].name, names[i].len), &n), names[i].rc);
		if (names[i].rc != 1)
			continue;
		if (names[i].base)
			t_assert_sv(n.base, names[i].base);
		assert_int_equal(n.flags, names[i].flags);
		assert_int_equal(n.keywords, names[i].keywords);
		assert_int_equal(n.size, names[i].size);
		assert_int_equal(n.vsize, names[i].vsize);
		t_assert_sv(n.key, names[i].key);
	}
}

static void test_format(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 255);
	assert_int_equal(maildir_name_format(&b, SV("1.h"), 63, 5, SV_NONE), 0);
	t_assert_sv(buf_sv(&b), "1.h:2,DFPRSTac");
	buf_reset(&b);
	/* letters of others are kept, meaning is not */
	assert_int_equal(maildir_name_format(&b, SV("1.h"), STORE_SEEN, 0, SV(":2,QFb")), 0);
	t_assert_sv(buf_sv(&b), "1.h:2,QS");
	buf_reset(&b);
	assert_int_equal(maildir_name_arrival(&b, SV("1.h"), 0, 0), 0);
	t_assert_sv(buf_sv(&b), "1.h");
	buf_reset(&b);
	assert_int_equal(maildir_name_arrival(&b, SV("1.h"), STORE_SEEN, 1), 0);
	t_assert_sv(buf_sv(&b), "1.h:2,Sa");
	buf_free(&b);
	buf_init(&b, 5);
	assert_int_equal(maildir_name_format(&b, SV("1.h"), STORE_SEEN, 0, SV_NONE), -1);
	buf_free(&b);
	char host[MAILDIR_HOST_MAX + 1];
	maildir_host_clean(SV("mx/a:b,c\nd"), host);
	assert_string_equal(host, "mx_a_b_c_d");
	maildir_host_clean(SV(""), host);
	assert_string_equal(host, "_");
}

static const struct {
	const char *name;
	int rc;
	const char *dir;
} folders[] = {
	{ "INBOX", 1, "." },
	{ "inbox", 1, "." },
	{ "A", 1, ".A" },
	{ "A.B", 1, ".A.B" },
	{ "INBOX.x", 1, ".INBOX.x" },
	{ "Entw&APw-rfe", 1, ".Entw&APw-rfe" },
	{ "a b", 1, ".a b" },
	{ "", -1, NULL },
	{ ".", -1, NULL },
	{ "..", -1, NULL },
	{ ".A", -1, NULL },
	{ "A.", -1, NULL },
	{ "A..B", -1, NULL },
	{ "A/B", -1, NULL },
	{ "../x", -1, NULL },
	{ "~root", -1, NULL },
	{ "a*", -1, NULL },
	{ "a%", -1, NULL },
	{ "a\tb", -1, NULL },
	{ "a\xc3\xbc", -1, NULL },
};

static void test_folders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct folder_dir d;
		t_case(folders[i].name);
		assert_int_equal(folder_dir_of(sv_z(folders[i].name), &d, NULL), folders[i].rc);
		if (folders[i].rc == 1)
			assert_string_equal(d.z, folders[i].dir);
	}
	char longest[STORE_NAME_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	struct folder_dir d;
	assert_int_equal(folder_dir_of(sv_n(longest, STORE_NAME_MAX), &d, NULL), 1);
	assert_int_equal(folder_dir_of(sv_n(longest, STORE_NAME_MAX + 1), &d, NULL), -1);
	struct sv name;
	assert_int_equal(folder_name_of(SV(".A.B"), &name), 1);
	t_assert_sv(name, "A.B");
	assert_int_equal(folder_name_of(SV(".."), &name), 0);
	assert_int_equal(folder_name_of(SV("."), &name), 0);
	assert_int_equal(folder_name_of(SV("cur"), &name), 0);
	assert_int_equal(folder_name_of(SV(".INBOX"), &name), 0);
	assert_true(folder_is_child(SV("A.B"), SV("A")));
	assert_false(folder_is_child(SV("AB"), SV("A")));
	assert_false(folder_is_child(SV("A"), SV("A")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format), cmocka_unit_test(test_folders) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
