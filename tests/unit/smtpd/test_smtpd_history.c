/* Unit test of smtpd/smtpd_history.c: what is kept of a dialogue, and how much. */
#include "smtpd/smtpd_history.h"
#include "tests/support/t.h"

static void keeps_lines(UNUSED void **state)
{
	struct smtpd_history h = { 0 };
	struct buf out;
	buf_init(&out, 100000);
	smtpd_history_put(&h, &out);
	assert_int_equal(out.len, 0);
	smtpd_history_out(&h, SV("220 hello"));
	smtpd_history_in(&h, SV("ehlo \x01\xc3\x7f"));
	smtpd_history_in(&h, SV("auth PLAIN AGFubmEAc2VjcmV0"));
	smtpd_history_in(&h, SV("AUTH"));
	assert_int_equal(h.lines, 4);
	smtpd_history_put(&h, &out);
	t_assert_sv(buf_sv(&out), "    Out: 220 hello\n    In:  ehlo ???\n    In:  AUTH PLAIN ...\n"
				  "    In:  AUTH  ...\n");
	smtpd_history_reset(&h);
	assert_int_equal(h.lines, 0);
	buf_reset(&out);
	smtpd_history_put(&h, &out);
	assert_int_equal(out.len, 0);
	smtpd_history_free(&h);
	buf_free(&out);
}

/* A client that talks for hours costs no more than one that talks for a minute. */
static void is_bounded(UNUSED void **state)
{
	static char big[5000];
	struct smtpd_history h = { 0 };
	struct buf out;
	buf_init(&out, 100000);
	memset(big, 'x', sizeof(big));
	smtpd_history_in(&h, SV("first"));
	for (size_t i = 0; i < 1000; i++)
		smtpd_history_in(&h, sv_n(big, sizeof(big)));
	smtpd_history_out(&h, SV("last"));
	assert_false(h.text.overflow);
	assert_true(h.text.len <= SMTPD_HISTORY_MAX && h.text.len > SMTPD_HISTORY_MAX / 2);
	assert_int_equal(h.lines, 1002);
	smtpd_history_put(&h, &out);
	char head[100];
	snprintf(head, sizeof(head), "    (%u lines before)\n    In:  xxx", h.left_out);
	assert_true(h.left_out > 900);
	assert_true(sv_starts(buf_sv(&out), sv_z(head)));
	assert_true(sv_ends(buf_sv(&out), SV("xxx...\n    Out: last\n")));
	assert_true(sv_find(buf_sv(&out), SV("first")) < 0);
	smtpd_history_free(&h);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keeps_lines), cmocka_unit_test(is_bounded) };
	return cmocka_run_group_tests_name("smtpd_history", tests, NULL, NULL);
}
