/* Unit test of lib/wire/crlf.c; rows A12, A14, N04 of the attack catalogue. */
#include "lib/wire/crlf.h"
#include "tests/support/t.h"

static const struct {
	const char *in;
	size_t len;
	bool dots, clean;
	const char *out;
	size_t out_len;
} cases[] = {
	{ L("a\nb\n"), true, true, L("a\r\nb\r\n.\r\n") },
	{ L("a\nb\n"), false, false, L("a\r\nb\r\n") },
	{ L(""), true, true, L(".\r\n") },
	{ L(""), false, false, L("") },
	{ L(".\n"), true, true, L("..\r\n.\r\n") },
	{ L("a\n.\n..\n"), true, true, L("a\r\n..\r\n...\r\n.\r\n") },
	{ L("a\n.\n"), false, false, L("a\r\n.\r\n") },
	{ L("a"), true, true, L("a\r\n.\r\n") },
	{ L("a"), false, false, L("a") },
	{ L("a\r\nb\r\n"), false, false, L("a\r\nb\r\n") },
	{ L("a\r\nb\r\n"), true, true, L("a\r\nb\r\n.\r\n") },
	{ L("a\rb\r.\n"), true, true, L("a b .\r\n.\r\n") },
	{ L("a\rb\n"), false, false, L("a\rb\r\n") },
	{ L("a\r\r\n"), true, true, L("a \r\n.\r\n") },
	{ L("a\n.\r"), true, true, L("a\r\n.. \r\n.\r\n") },
	{ L("a\n\r.\nb\n"), true, true, L("a\r\n .\r\nb\r\n.\r\n") },
	{ L("a\0b\n"), false, false, L("a\0b\r\n") },
};

static void converts_in_every_segmentation(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].len + 1; step++) {
			struct crlf c;
			struct buf out;
			struct sv in = sv_n(cases[i].in, cases[i].len);
			uint64_t size = 0;
			char last = '\0';
			t_case(cases[i].in);
			buf_init(&out, 1000);
			crlf_init(&c, cases[i].dots, cases[i].clean);
			while (in.len) {
				struct sv piece = sv_upto(in, step);
				assert_int_equal(crlf_put(&c, piece, &out), 0);
				size += crlf_size(piece, last);
				last = piece.p[piece.len - 1];
				in = sv_from(in, piece.len);
			}
			assert_int_equal(crlf_finish(&c, &out), 0);
			assert_int_equal(out.len, cases[i].out_len);
			assert_memory_equal(buf_z(&out), cases[i].out, cases[i].out_len);
			if (!cases[i].dots && !cases[i].clean)
				assert_true(size == out.len);
			buf_free(&out);
		}
	}
}

static void breaks_long_lines(UNUSED void **state)
{
	static const struct {
		size_t limit;
		const char *in, *out;
	} rows[] = {
		{ 5, "12345\n", "12345\r\n.\r\n" },
		{ 5, "123456\n", "12345\r\n 6\r\n.\r\n" },
		{ 5, "1234567890\nab\n", "12345\r\n 6789\r\n 0\r\nab\r\n.\r\n" },
		{ 5, "1234.6\n.2345\n", "1234.\r\n 6\r\n..2345\r\n.\r\n" },
		{ 5, "12345.\n", "12345\r\n .\r\n.\r\n" },
		{ 5, "1234\r6\n", "1234 \r\n 6\r\n.\r\n" },
		{ 5, "123456", "12345\r\n 6\r\n.\r\n" },
		{ 1, "12\n", "1\r\n 2\r\n.\r\n" },
		{ 2, "123\n", "12\r\n 3\r\n.\r\n" },
		{ 0, "1234567\n", "1234567\r\n.\r\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].in); step++) {
			struct crlf c;
			struct buf out;
			struct sv in = sv_z(rows[i].in);
			t_case(rows[i].in);
			buf_init(&out, 1000);
			crlf_init(&c, true, true);
			c.limit = rows[i].limit;
			for (; in.len; in = sv_from(in, step))
				assert_int_equal(crlf_put(&c, sv_upto(in, step), &out), 0);
			assert_int_equal(crlf_finish(&c, &out), 0);
			assert_string_equal(buf_z(&out), rows[i].out);
			buf_free(&out);
		}
}

static void stops_at_the_ceiling(UNUSED void **state)
{
	struct crlf c;
	struct buf out;
	buf_init(&out, 4);
	crlf_init(&c, true, true);
	assert_int_equal(crlf_put(&c, SV("hello\n"), &out), -1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts_in_every_segmentation),
		cmocka_unit_test(breaks_long_lines),
		cmocka_unit_test(stops_at_the_ceiling),
	};
	return cmocka_run_group_tests_name("crlf", tests, NULL, NULL);
}
