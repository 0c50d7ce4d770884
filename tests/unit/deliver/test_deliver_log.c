/* Unit test of lib/deliver/deliver_log.c: the lines that log readers for Postfix know. */
#include "tests/support/t.h"

#include "lib/deliver/deliver_log.h"

static void test_seconds(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ -5, "0" },
		{ 0, "0" },
		{ 4999, "0" },
		{ 5000, "0.01" },
		{ 34000, "0.03" },
		{ 100000, "0.1" },
		{ 560000, "0.56" },
		{ 994999, "0.99" },
		{ 996000, "1" },
		{ 1000000, "1" },
		{ 1260000, "1.3" },
		{ 9940000, "9.9" },
		{ 9960000, "10" },
		{ 12300000, "12" },
		{ INT64_C(86400000000), "86400" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 100);
		deliver_seconds(&b, cases[i].us);
		t_case(cases[i].text);
		t_assert_sv(buf_sv(&b), cases[i].text);
		buf_free(&b);
	}
}

static void test_line(void **state)
{
	(void)state;
	struct deliver_rcpt r = { .recipient = SV("anna@example.test"),
		.original = SV("info@example.test"),
		.status = DELIVER_SENT,
		.dsn = DSN(2, 0, 0),
		.text = SV("delivered to maildir") };
	struct deliver_times t = {
		.arrival_us = 1000000, .active_us = 1020000, .begin_us = 1020000, .done_us = 1050000
	};
	struct buf b;
	buf_init(&b, 4000);
	deliver_log_line(&b, SV("4XyZ"), &r, "local", &t);
	t_assert_sv(buf_sv(&b),
	        "4XyZ: to=<anna@example.test>, orig_to=<info@example.test>, relay=local, "
	        "delay=0.05, delays=0.02/0/0/0.03, dsn=2.0.0, status=sent (delivered to maildir)");
	buf_reset(&b);
	r.original = SV("ANNA@example.test"); /* not worth a field */
	r.status = DELIVER_BOUNCED;
	r.dsn = DSN(5, 1, 1);
	r.text = SV("unknown user");
	t.connected_us = 1030000;
	deliver_log_line(&b, SV("4XyZ"), &r, "none", &t);
	t_assert_sv(buf_sv(&b),
	        "4XyZ: to=<anna@example.test>, relay=none, delay=0.05, "
	        "delays=0.02/0/0.01/0.02, dsn=5.1.1, status=bounced (unknown user)");
	buf_reset(&b);
	r.status = DELIVER_DEFERRED;
	r.soft = true;
	r.dsn = DSN(4, 1, 1);
	deliver_log_line(&b, SV("4XyZ"), &r, "none", &t);
	t_assert_sv(buf_sv(&b),
	        "4XyZ: to=<anna@example.test>, relay=none, delay=0.05, "
	        "delays=0.02/0/0.01/0.02, dsn=5.1.1, status=SOFTBOUNCE (unknown user)");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_line) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
