/* Unit test of lib/store/uidlist.c and keywords.c: lines of files that a user may have written. */
#include "tests/support/t.h"

#include "lib/store/keywords.h"
#include "lib/store/uidlist.h"

#define GUID "3085f01b7f11094c501100008c4a11c1"

static const struct {
	const char *line;
	size_t len;
	int rc;
	const char *again; /* as written by us; NULL: not compared */
} headers[] = {
	{ L("3 V1275660208 N25022 G" GUID), 1, "3 V1275660208 N25022 G" GUID "\n" },
	{ L("3 N25022 G" GUID " V7"), 1, "3 V7 N25022 G" GUID "\n" },
	{ L("3 V7 N1 G" GUID " Xfoo Y"), 1, "3 V7 N1 G" GUID " Xfoo Y\n" },
	{ L("3 V7 N1"), 1, NULL },
	{ L("1 1275660208 12"), 1, NULL },
	{ L("4 V7 N1"), 0, NULL },
	{ L("3"), -1, NULL },
	{ L("3 V0 N1"), -1, NULL },
	{ L("3 V7 N0"), -1, NULL },
	{ L("3 V7"), -1, NULL },
	{ L("3 V99999999999 N1"), -1, NULL },
	{ L("3 V7 N-1"), -1, NULL },
	{ L("3 V7 N1 Gxyz"), -1, NULL },
	{ L("1 12"), -1, NULL },
	{ L(""), -1, NULL },
	{ L("three"), -1, NULL },
	{ L("3 V7\0 N1"), -1, NULL },
};

static void test_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct uidlist_header h;
		t_case(headers[i].line);
		assert_int_equal(uidlist_header_parse(sv_n(headers[i].line, headers[i].len), &h),
		        headers[i].rc);
		if (!headers[i].again)
			continue;
		struct buf b;
		buf_init(&b, 1000);
		assert_int_equal(uidlist_header_format(&b, &h), 0);
		t_assert_sv(buf_sv(&b), headers[i].again);
		buf_free(&b);
	}
}

static const struct {
	const char *line;
	size_t len;
	unsigned version;
	int rc;
	uint32_t uid;
	const char *ext, *base;
	uint64_t size, vsize;
} records[] = {
	{ L("1 :1.M2.h"), 3, 1, 1, "", "1.M2.h", 0, 0 },
	{ L("17 W836 S812 :1.h,S=812"), 3, 1, 17, "W836 S812", "1.h,S=812", 812, 836 },
	{ L("17 W836  Pabc  :1.h"), 3, 1, 17, "W836  Pabc", "1.h", 0, 836 },
	{ L("17 Sx :1.h"), 3, 1, 17, "Sx", "1.h", 0, 0 },
	{ L("5 1.h:2,S"), 1, 1, 5, "", "1.h", 0, 0 },
	{ L("4294967294 :x"), 3, 1, 4294967294u, "", "x", 0, 0 },
	{ L("4294967295 :x"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("0 :x"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("x :x"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("7 S5"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("7 :"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("7 :../../etc/passwd"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("7 :a\0b"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L("\0\0\0\0"), 3, -1, 0, NULL, NULL, 0, 0 },
	{ L(""), 3, -1, 0, NULL, NULL, 0, 0 },
};

static void test_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct uidlist_record r;
		t_case(records[i].line);
		assert_int_equal(uidlist_record_parse(sv_n(records[i].line, records[i].len),
		                         records[i].version, &r),
		        records[i].rc);
		if (records[i].rc != 1)
			continue;
		assert_int_equal(r.uid, records[i].uid);
		t_assert_sv(r.ext, records[i].ext);
		t_assert_sv(r.base, records[i].base);
		assert_int_equal(r.size, records[i].size);
		assert_int_equal(r.vsize, records[i].vsize);
	}
}

static void test_keywords(void **state)
{
	(void)state;
	struct keywords k;
	keywords_parse(SV("0 $Forwarded\n1 NonJunk\n25 z\n26 over\nx y\n3\n4 has space\n5 "
	                  "\\Seen\n6 nonjunk\n"),
	        &k);
	assert_string_equal(k.name[0], "$Forwarded");
	assert_string_equal(k.name[1], "NonJunk");
	assert_string_equal(k.name[25], "z");
	assert_string_equal(k.name[4], "");
	assert_string_equal(k.name[5], "");
	assert_string_equal(k.name[6], ""); /* the name is taken, case ignored */
	assert_int_equal(keywords_find(&k, SV("NONJUNK")), 1);
	assert_int_equal(keywords_find(&k, SV("absent")), -1);
	assert_int_equal(keywords_add(&k, SV("new")), 2);
	assert_int_equal(keywords_add(&k, SV("new")), 2);
	assert_int_equal(keywords_add(&k, SV("a b")), -1);
	assert_int_equal(keywords_add(&k, SV("")), -1);
	assert_int_equal(keywords_count(&k), 26);
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(keywords_format(&b, &k), 0);
	t_assert_sv(buf_sv(&b), "0 $Forwarded\n1 NonJunk\n2 new\n25 z\n");
	buf_free(&b);
	for (char c = 'A'; c <= 'Z'; c++) {
		char name[] = { 'k', c, '\0' };
		(void)keywords_add(&k, sv_z(name));
	}
	assert_int_equal(keywords_add(&k, SV("full")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_header),
		cmocka_unit_test(test_record), cmocka_unit_test(test_keywords) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
