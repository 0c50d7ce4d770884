/* Unit test of lib/wire/smtp_data.c; rows A01-A09 of the attack catalogue. */
#include "lib/wire/smtp_data.h"
#include "tests/support/t.h"

#define NORM SMTP_BARE_NL_NORMALIZE
#define REJ  SMTP_BARE_NL_REJECT
#define NO   SMTP_BARE_NL_NO

/* END stands where the input must have ended the message; NULL: it must not end. */
static const struct {
	const char *name;
	const char *in;
	size_t len;
	enum smtp_bare_newline mode;
	const char *content;
	const char *after; /* NULL: no end of data */
	unsigned bare_lf, bare_cr, nul;
} cases[] = {
	{ "plain", L("a\r\nb\r\n.\r\nQUIT\r\n"), NORM, "a\nb\n", "QUIT\r\n", 0, 0, 0 },
	{ "A07 empty", L(".\r\n"), NORM, "", "", 0, 0, 0 },
	{ "A07 stuffed dot", L("..\r\n.\r\n"), NORM, ".\n", "", 0, 0, 0 },
	{ "A07 dot x", L(".x\r\n...\r\n.\r\n"), NORM, "x\n..\n", "", 0, 0, 0 },
	{ "A01", L("a\n.\nb\r\n.\r\n"), NORM, "a\n.\nb\n", "", 2, 0, 0 },
	{ "A01 reject", L("a\n.\nb\r\n.\r\n"), REJ, "a\n.\nb\n", "", 2, 0, 0 },
	{ "A01 no", L("a\n.\nb\r\n.\r\n"), NO, "a\n", "b\r\n.\r\n", 2, 0, 0 },
	{ "A02", L("a\n.\r\nb\r\n.\r\n"), NORM, "a\n.\nb\n", "", 1, 0, 0 },
	{ "A02 no", L("a\n.\r\nb\r\n.\r\n"), NO, "a\n", "b\r\n.\r\n", 1, 0, 0 },
	{ "A03", L("a\r\n.\nb\r\n.\r\n"), NORM, "a\n.\nb\n", "", 1, 0, 0 },
	{ "A03 next line", L("a\r\n.\n.\r\nb\r\n.\r\n"), NORM, "a\n.\n.\nb\n", "", 1, 0, 0 },
	{ "A04 cr.cr", L("a\r.\rb\r\n.\r\n"), NORM, "a . b\n", "", 0, 2, 0 },
	{ "A04 cr.lf", L("a\r.\nb\r\n.\r\n"), NORM, "a .\nb\n", "", 1, 1, 0 },
	{ "A04 cr.crlf", L("a\r.\r\nb\r\n.\r\n"), NORM, "a .\nb\n", "", 0, 1, 0 },
	{ "A04 lf.cr", L("a\n.\rb\r\n.\r\n"), NORM, "a\n b\n", "", 1, 1, 0 },
	{ "A04 crlf.cr", L("a\r\n.\rb\r\n.\r\n"), NORM, "a\n b\n", "", 0, 1, 0 },
	{ "A05 nul before", L("a\r\n\0.\r\nb\r\n.\r\n"), NORM, "a\n.\nb\n", "", 0, 0, 1 },
	{ "A05 nul behind", L("a\r\n.\0\r\nb\r\n.\r\n"), NORM, "a\n\nb\n", "", 0, 0, 1 },
	{ "A05 nul in crlf", L("a\r\0\n.\r\nb\r\n.\r\n"), NORM, "a \n.\nb\n", "", 1, 1, 1 },
	{ "A06 own line", L("a\r\n.\r\r\nb\r\n.\r\n"), NORM, "a\n \nb\n", "", 0, 1, 0 },
	{ "A06 both lines", L("a\r\r\n.\r\r\nb\r\n.\r\n"), NORM, "a \n \nb\n", "", 0, 2, 0 },
	{ "A06 many", L("a\r\n.\r\r\r\r\r\r\r\r\nb\r\n.\r\n"), NORM, "a\n       \nb\n", "", 0, 7, 0 },
	{ "real end behind stray CR", L("a\r\r\n.\r\nQ"), NORM, "a \n", "Q", 0, 1, 0 },
	{ "bare LF content", L("a\nb\n\nc\r\n.\r\n"), NORM, "a\nb\n\nc\n", "", 3, 0, 0 },
	{ "dot unstuffed behind bare LF", L("a\n..b\r\n.\r\n"), NORM, "a\n.b\n", "", 1, 0, 0 },
	{ "no end", L("a\r\n.\r"), NORM, "a\n", NULL, 0, 0, 0 },
	{ "no end either", L("a\r\n."), NORM, "a\n", NULL, 0, 0, 0 },
};

struct result {
	struct buf content;
	struct smtp_data d;
	bool ended;
	struct sv after;
};

/* Feed IN in pieces of STEP octets, a copy of each piece in its own memory. */
static void run(struct result *r, struct sv in, size_t step, enum smtp_bare_newline mode, bool crlf)
{
	buf_init(&r->content, 1 << 20);
	smtp_data_init(&r->d, mode, crlf);
	r->ended = false;
	r->after = SV_NONE;
	while (in.len && !r->ended) {
		struct sv whole = sv_upto(in, step);
		char *copy = mem_svdup(whole);
		struct sv piece = sv_n(copy, whole.len);
		int rc = smtp_data_feed(&r->d, &piece, &r->content);
		assert_true(rc >= 0);
		size_t taken = whole.len - piece.len;
		assert_true(rc == 1 || taken == whole.len);
		free(copy);
		in = sv_from(in, taken);
		r->ended = rc == 1;
	}
	r->after = in;
}

static void decodes_in_every_segmentation(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].len; step++) {
			struct result r;
			t_case(cases[i].name);
			run(&r, sv_n(cases[i].in, cases[i].len), step, cases[i].mode, true);
			t_assert_sv(buf_sv(&r.content), cases[i].content);
			assert_int_equal(r.ended, cases[i].after != NULL);
			if (cases[i].after)
				t_assert_sv(r.after, cases[i].after);
			assert_int_equal(r.d.bare_lf, cases[i].bare_lf);
			assert_int_equal(r.d.bare_cr, cases[i].bare_cr);
			assert_int_equal(r.d.nul, cases[i].nul);
			assert_int_equal(r.d.size, r.content.len);
			buf_free(&r.content);
		}
	}
}

/* A06: ".", 1 to 64 CRs more than one, LF is never the end. */
static void extra_cr_is_no_end(UNUSED void **state)
{
	for (size_t crs = 2; crs <= 65; crs++) {
		struct buf in;
		struct result r;
		buf_init(&in, 1000);
		buf_puts(&in, "a\r\n.");
		for (size_t k = 0; k < crs; k++)
			buf_putc(&in, '\r');
		buf_puts(&in, "\nb\r\n.\r\n");
		run(&r, buf_sv(&in), 7, NORM, true);
		assert_true(r.ended);
		assert_int_equal(r.after.len, 0);
		assert_int_equal(r.d.bare_cr, crs - 1);
		buf_free(&r.content);
		buf_free(&in);
	}
}

/* A08: wherever a buffer might cut a long line, a '.' inside the line stays a '.'. */
static void long_lines_are_one_line(UNUSED void **state)
{
	static const size_t limits[] = { 998, 1000, 2048, 4096, 8192 };
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		for (size_t len = limits[i] - 3; len <= limits[i] + 3; len++) {
			struct buf in;
			struct result r;
			buf_init(&in, 100000);
			for (size_t k = 0; k < len; k++)
				buf_putc(&in, 'x');
			buf_puts(&in, ".\r\nMAIL FROM:<smuggled>\r\n.\r\n");
			run(&r, buf_sv(&in), limits[i], NORM, true);
			assert_true(r.ended);
			assert_int_equal(r.after.len, 0);
			assert_int_equal(r.d.lines, 2);
			assert_int_equal(r.d.longest, len + 1);
			assert_int_equal(r.content.p[len], '.');
			buf_free(&r.content);
			buf_free(&in);
		}
	}
}

/* A09: the five octets of the end at every position around a buffer's edge. */
static void end_at_every_edge(UNUSED void **state)
{
	for (size_t edge = 4096; edge <= 8192; edge *= 2) {
		for (size_t len = edge - 6; len <= edge; len++) {
			struct buf in;
			struct result r;
			buf_init(&in, 100000);
			for (size_t k = 0; k < len; k++)
				buf_putc(&in, k % 72 == 71 ? ' ' : 'x');
			buf_puts(&in, "\r\n.\r\nNOOP");
			run(&r, buf_sv(&in), edge, NORM, true);
			assert_true(r.ended);
			t_assert_sv(r.after, "NOOP");
			assert_int_equal(r.content.len, len + 1);
			buf_free(&r.content);
			buf_free(&in);
		}
	}
}

static void keeps_counts(UNUSED void **state)
{
	struct result r;
	run(&r, SV("short\r\nlonger line\r\n..dot\r\n\xc3\xa9\r\n.\r\n"), 1000, NORM, true);
	assert_true(r.ended);
	assert_int_equal(r.d.lines, 4);
	assert_int_equal(r.d.longest, 11);
	assert_true(r.d.eightbit);
	assert_true(r.d.leading_dots);
	assert_int_equal(r.d.crlf_size, r.d.size + 4);
	buf_free(&r.content);
	/* DATA itself ended in a bare LF: "." right behind it is content */
	run(&r, SV(".\r\nx\r\n.\r\n"), 1000, NORM, false);
	t_assert_sv(buf_sv(&r.content), ".\nx\n");
	buf_free(&r.content);
	/* a ceiling is an error, not a loss */
	struct buf tiny;
	struct smtp_data d;
	struct sv in = SV("more than ten octets");
	buf_init(&tiny, 10);
	smtp_data_init(&d, NORM, true);
	assert_int_equal(smtp_data_feed(&d, &in, &tiny), -1);
	buf_free(&tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_in_every_segmentation),
		cmocka_unit_test(extra_cr_is_no_end),
		cmocka_unit_test(long_lines_are_one_line),
		cmocka_unit_test(end_at_every_edge),
		cmocka_unit_test(keeps_counts),
	};
	return cmocka_run_group_tests_name("smtp_data", tests, NULL, NULL);
}
