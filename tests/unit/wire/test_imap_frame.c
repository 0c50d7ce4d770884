/* Unit test of lib/wire/imap_frame.c; rows M01, M04 of the attack catalogue. */
#include "lib/base/buf.h"
#include "lib/wire/imap_frame.h"
#include "tests/support/t.h"

static const struct imap_frame_limits limits = {
	.line = 60, .literal = 20, .total = 120, .nonsync = 10, .append = 1000,
};

/*
 * Events while the bytes arrive one by one: "L5s" literal of 5 octets, sync (n: not; 8: literal8;
 * a: APPEND's message); "D" and the length; "!line", "!literal".
 */
static const struct {
	const char *bytes;
	size_t len;
	const char *want;
} cases[] = {
	{ L("a NOOP\r\n"), "D8 " },
	{ L("a NOOP\n"), "D7 " },
	{ L("a NOOP\r\nb NOOP\r\n"), "D8 " },
	{ L("a LOGIN {3}\r\njoe {4+}\r\npass\r\n"), "L3s L4n D29 " },
	{ L("a X {0}\r\n\r\n"), "L0s D11 " },
	{ L("a X ~{3}\r\nabc\r\n"), "L3s8 D15 " },
	{ L("a X {3}\r\n{9}\r\n"), "L3s D14 " },
	{ L("a X {5}\r\n{9}\r\n\r\n"), "L5s D16 " },
	{ L("a APPEND INBOX {900}\r\n"), "L900sa " },
	{ L("a append INBOX (\\Seen) {900+}\r\n"), "L900na " },
	{ L("a APPEND {5}\r\nINBOX {900}\r\n"), "L5s L900sa " },
	{ L("a APPEND INBOX {1001}\r\n"), "L1001sa !literal at 23" },
	{ L("a APPEND {900}\r\n"), "L900s !literal at 16" },
	{ L("a X {21}\r\n"), "L21s !literal at 10" },
	{ L("a X {11+}\r\n"), "L11n !literal at 11" },
	{ L("a LOGIN {4294967296}\r\n"), "L4294967296s !literal at 22" },
	{ L("a LOGIN {18446744073709551616+}\r\n"), "L18446744073709551615n !literal at 33" },
	{ L("a LOGIN {-1}\r\n"), "D14 " },
	{ L("a LOGIN {}\r\n"), "D12 " },
	{ L("a LOGIN {1x}\r\n"), "D14 " },
	{ L("{3}\r\nabc\r\n"), "L3s D10 " },
	{ L("a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"), "!line" },
	{ L("a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"), "D62 " },
	{ L("a {20}\r\n01234567890123456789 {20}\r\n01234567890123456789 {20}\r\n01234567890123456789"
	    " {20}\r\n01234567890123456789 {20}\r\n01234567890123456789\r\n"),
		"L20s L20s L20s L20s L20s !literal at 116" },
	{ L("a X \0\r\n"), "D7 " },
};

static bool event(struct buf *b, const struct imap_frame *f, enum imap_frame_result r)
{
	switch (r) {
	case IMAP_FRAME_MORE: return true;
	case IMAP_FRAME_DONE: buf_printf(b, "D%zu ", f->end); return false;
	case IMAP_FRAME_LINE_TOO_LONG: buf_puts(b, "!line"); return false;
	case IMAP_FRAME_LITERAL:
	case IMAP_FRAME_LITERAL_TOO_BIG:
		buf_printf(b, "L%llu%s%s%s ", (unsigned long long)f->literal, f->sync ? "s" : "n",
			f->literal8 ? "8" : "", f->append ? "a" : "");
		if (r == IMAP_FRAME_LITERAL_TOO_BIG)
			buf_printf(b, "!literal at %zu", f->end);
		return r == IMAP_FRAME_LITERAL;
	}
	return false;
}

static void frames_whatever_the_segments(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].len; step++) {
			struct imap_frame f;
			struct buf b;
			bool more = true;
			buf_init(&b, 1000);
			imap_frame_init(&f, &limits);
			t_case(cases[i].bytes);
			for (size_t n = step; more; n += step) {
				if (n > cases[i].len)
					n = cases[i].len;
				enum imap_frame_result r;
				do {
					r = imap_frame_scan(&f, sv_n(cases[i].bytes, n));
					more = event(&b, &f, r);
				} while (r == IMAP_FRAME_LITERAL);
				if (n == cases[i].len)
					break;
			}
			t_assert_sv(buf_sv(&b), cases[i].want);
			buf_free(&b);
		}
	}
}

static void literal_elsewhere(UNUSED void **state)
{
	struct imap_frame f;
	imap_frame_init(&f, &limits);
	struct sv cmd = SV("a APPEND INBOX {900}\r\n\r\n");
	assert_int_equal(imap_frame_scan(&f, sv_upto(cmd, cmd.len - 2)), IMAP_FRAME_LITERAL);
	assert_true(f.append);
	imap_frame_literal_elsewhere(&f);
	assert_int_equal(imap_frame_scan(&f, sv_upto(cmd, cmd.len - 2)), IMAP_FRAME_MORE);
	assert_int_equal(imap_frame_scan(&f, cmd), IMAP_FRAME_DONE);
	assert_int_equal(f.end, cmd.len);
}

/* M04: an endless line is given up at its limit, not at the end of memory. */
static void endless_line(UNUSED void **state)
{
	struct imap_frame f;
	char x[100];
	memset(x, 'x', sizeof(x));
	imap_frame_init(&f, &limits);
	assert_int_equal(imap_frame_scan(&f, sv_n(x, 61)), IMAP_FRAME_MORE);
	assert_int_equal(imap_frame_scan(&f, sv_n(x, 62)), IMAP_FRAME_LINE_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_whatever_the_segments),
		cmocka_unit_test(literal_elsewhere),
		cmocka_unit_test(endless_line),
	};
	return cmocka_run_group_tests_name("imap_frame", tests, NULL, NULL);
}
