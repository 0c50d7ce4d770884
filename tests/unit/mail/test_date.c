/* Unit test of lib/mail/date.c. */
#include "lib/mail/date.h"
#include "tests/support/t.h"

static const struct {
	int64_t t;
	int tz;
	const char *rfc, *imap, *ctime;
} stamps[] = {
	{ 0, 0, "Thu,  1 Jan 1970 00:00:00 +0000", " 1-Jan-1970 00:00:00 +0000",
		"Thu Jan  1 00:00:00 1970" },
	{ 1795309500, 420, "Sun, 22 Nov 2026 08:05:00 +0700", "22-Nov-2026 08:05:00 +0700",
		"Sun Nov 22 08:05:00 2026" },
	{ 951782400, -330, "Mon, 28 Feb 2000 18:30:00 -0530", "28-Feb-2000 18:30:00 -0530",
		"Mon Feb 28 18:30:00 2000" },
	{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000", "31-Dec-1969 23:59:59 +0000",
		"Wed Dec 31 23:59:59 1969" },
	{ 4102444799, 0, "Thu, 31 Dec 2099 23:59:59 +0000", "31-Dec-2099 23:59:59 +0000",
		"Thu Dec 31 23:59:59 2099" },
};

static void formats_and_parses_back(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(stamps); i++) {
		struct buf b;
		int64_t t;
		int tz;
		buf_init(&b, 100);
		t_case(stamps[i].rfc);
		date_format(&b, stamps[i].t, stamps[i].tz);
		t_assert_sv(buf_sv(&b), stamps[i].rfc);
		assert_int_equal(date_parse(buf_sv(&b), &t, &tz), 1);
		assert_true(t == stamps[i].t);
		assert_int_equal(tz, stamps[i].tz);
		buf_reset(&b);
		date_imap_format(&b, stamps[i].t, stamps[i].tz);
		t_assert_sv(buf_sv(&b), stamps[i].imap);
		assert_int_equal(date_imap_parse(buf_sv(&b), &t, &tz), 1);
		assert_true(t == stamps[i].t && tz == stamps[i].tz);
		buf_reset(&b);
		date_ctime_format(&b, stamps[i].t, stamps[i].tz);
		t_assert_sv(buf_sv(&b), stamps[i].ctime);
		buf_free(&b);
	}
	struct buf b;
	buf_init(&b, 100);
	date_format_zone(&b, 0, 420, "WIB");
	t_assert_sv(buf_sv(&b), "Thu,  1 Jan 1970 07:00:00 +0700 (WIB)");
	buf_reset(&b);
	date_syslog_format(&b, 1795309500, 420);
	t_assert_sv(buf_sv(&b), "Nov 22 08:05:00");
	buf_reset(&b);
	date_format(&b, INT64_MAX, 0); /* a damaged stamp gives some text */
	assert_true(b.len > 20);
	buf_free(&b);
}

static const struct {
	const char *text;
	int rc;
	int64_t t;
	int tz;
} dates[] = {
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 1, 880127706, -360 },
	{ "21 Nov 97 09:55:06 GMT", 1, 880106106, 0 },
	{ "21 Nov 1997 09:55", 1, 880106100, 0 },
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 1, 880127706, -360 },
	{ "Fri, 21 Nov 1997 09:55:06 -0600 (CST (nested \\) too))", 1, 880127706, -360 },
	{ "Friday, 21-November-97 09:55:06 EST", 1, 880124106, -300 },
	{ "21 Nov 097 09:55:06 Z", 1, 880106106, 0 },
	{ "1 Jan 49 00:00:00 +0000", 1, 2493072000, 0 },
	{ "1 Jan 50 00:00:00 +0000", 1, -631152000, 0 },
	{ "29 Feb 2000 12:00:00 +0000", 1, 951825600, 0 },
	{ "31 Dec 2016 23:59:60 +0000", 1, 1483228800, 0 },
	{ "21 Nov 1997 09:55:06 XYZ", 1, 880106106, 0 },
	{ "29 Feb 1900 12:00:00 +0000", -1, 0, 0 },
	{ "32 Jan 2000 12:00:00 +0000", -1, 0, 0 },
	{ "1 Foo 2000 12:00:00 +0000", -1, 0, 0 },
	{ "1 Jan 2000 24:00:00 +0000", -1, 0, 0 },
	{ "1 Jan 2000 12:60:00 +0000", -1, 0, 0 },
	{ "1 Jan 2000 12:00:00 +2500", -1, 0, 0 },
	{ "1 Jan 2000 12:00:00 +0060", -1, 0, 0 },
	{ "1 Jan 20000 12:00:00 +0000", -1, 0, 0 },
	{ "1 Jan 0000 12:00:00 +0000", -1, 0, 0 },
	{ "99999999999999999999 Jan 2000", -1, 0, 0 },
	{ "", -1, 0, 0 },
	{ "((((", -1, 0, 0 },
	{ "now", -1, 0, 0 },
};

static void parses_header_dates(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		int64_t t = 0;
		int tz = 0;
		t_case(dates[i].text);
		if (date_parse(sv_z(dates[i].text), &t, &tz) != dates[i].rc || t != dates[i].t ||
			tz != dates[i].tz)
			fail_msg("[%s]: %lld %d", dates[i].text, (long long)t, tz);
	}
}

static const struct {
	const char *text;
	int rc;
} imap_dates[] = {
	{ " 1-Jan-2000 00:00:00 +0000", 1 },
	{ "01-Jan-2000 00:00:00 +0000", 1 },
	{ "1-Jan-2000 00:00:00 +0000", 1 },
	{ "1-Jan-2000 00:00:00 GMT", -1 },
	{ "1-Jan-2000 00:00:00", -1 },
	{ "1-Jan-2000  00:00:00 +0000", -1 },
	{ "1-Jan-00 00:00:00 +0000", -1 },
	{ "1-Jan-2000 0:00:00 +0000", -1 },
	{ "1-Jan-2000 00:00:00 +0000 ", -1 },
	{ "30-Feb-2000 00:00:00 +0000", -1 },
	{ "1-Jan-9999 00:00:00 +0000", 1 },
	{ "1-Jan-0000 00:00:00 +0000", -1 },
};

static void parses_imap_dates(UNUSED void **state)
{
	int64_t t, day;
	int tz;
	for (size_t i = 0; i < ARRAY_LEN(imap_dates); i++) {
		t_case(imap_dates[i].text);
		if (date_imap_parse(sv_z(imap_dates[i].text), &t, &tz) != imap_dates[i].rc)
			fail_msg("[%s]", imap_dates[i].text);
	}
	assert_int_equal(date_imap_day_parse(SV("1-Feb-1994"), &day), 1);
	assert_int_equal(day, 8797);
	assert_int_equal(date_imap_day_parse(SV("32-Jan-1994"), &day), -1);
	assert_int_equal(date_imap_day_parse(SV("1-Feb-1994x"), &day), -1);
	assert_int_equal(date_day_of(8797 * 86400, -60), 8796);
	assert_int_equal(date_day_of(8797 * 86400 - 1, 60), 8797);
	assert_int_equal(date_day_of(-1, 0), -1);
}

static void converts_every_day(UNUSED void **state)
{
	int64_t year = 1600, days = date_days_from_civil(1600, 1, 1);
	int month = 1, day = 1;
	for (long i = 0; i < 300000; i++, days++) {
		int64_t y;
		int m, d;
		date_civil_from_days(days, &y, &m, &d);
		if (y != year || m != month || d != day)
			fail_msg("day %lld", (long long)days);
		if (date_days_from_civil(y, m, d) != days)
			fail_msg("day %lld", (long long)days);
		date_civil_from_days(days + 1, &y, &m, &d);
		if (d == 1) {
			month = month % 12 + 1;
			year += month == 1;
			day = 0;
		}
		day++;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_and_parses_back),
		cmocka_unit_test(parses_header_dates),
		cmocka_unit_test(parses_imap_dates),
		cmocka_unit_test(converts_every_day),
	};
	return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
