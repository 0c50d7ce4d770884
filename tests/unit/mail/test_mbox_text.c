/* Unit test of lib/mail/mbox_text.c: From_ lines and their quoting, in blocks of every size. */
#include "tests/support/t.h"

#include "lib/mail/mbox_text.h"

static const struct {
	const char *sender, *line;
} lines[] = {
	{ "", "From MAILER-DAEMON  Sun Nov 22 08:05:00 2026\n" },
	{ "a@b.example", "From a@b.example  Sun Nov 22 08:05:00 2026\n" },
	{ "a b@c", "From \"a b\"@c  Sun Nov 22 08:05:00 2026\n" },
};

static void from_lines(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf b;
		buf_init(&b, 1000);
		assert_int_equal(mbox_from_line(&b, sv_z(lines[i].sender), 1795334700 - 7 * 3600, 7 * 60), 0);
		assert_string_equal(buf_z(&b), lines[i].line);
		buf_free(&b);
	}
}

/* Whatever a sender is made of, it is one line. */
static void a_sender_is_one_line(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(mbox_from_line(&b, SV("a\nFrom b\r@c"), 0, 0), 0);
	assert_int_equal(sv_chr(buf_sv(&b), '\n'), (ptrdiff_t)b.len - 1);
	buf_free(&b);
}

static const struct {
	struct sv in;
	const char *out;
} contents[] = {
	{ SV_INIT(""), "\n" },
	{ SV_INIT("x"), "x\n\n" },
	{ SV_INIT("x\n"), "x\n\n" },
	{ SV_INIT("From me\n"), ">From me\n\n" },
	{ SV_INIT("a: b\n\nFrom here\n>From there\n From\nFroma\nfrom x\n"),
		"a: b\n\n>From here\n>From there\n From\nFroma\nfrom x\n\n" },
	{ SV_INIT("\n\nFrom \n\nFrom"), "\n\n>From \n\nFrom\n\n" },
	{ SV_INIT("FFrom x\nFroFrom x\n"), "FFrom x\nFroFrom x\n\n" },
	{ SV_INIT("xFrom y\n"), "xFrom y\n\n" },
};

static void quoting_does_not_depend_on_blocks(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		for (size_t step = 1; step <= contents[i].in.len + 1; step++) {
			struct mbox_quote q = { .matched = 0 };
			struct sv rest = contents[i].in;
			struct buf b;
			t_case(contents[i].in.p);
			buf_init(&b, 1000);
			while (rest.len > 0) {
				struct sv block = sv_upto(rest, step);
				assert_int_equal(mbox_quote_put(&q, block, &b), 0);
				rest = sv_from(rest, block.len);
			}
			assert_int_equal(mbox_quote_end(&q, &b), 0);
			assert_string_equal(buf_z(&b), contents[i].out);
			buf_free(&b);
		}
	}
}

static void a_full_buffer_is_told(UNUSED void **state)
{
	struct mbox_quote q = { .matched = 0 };
	struct buf b;
	buf_init(&b, 5);
	assert_int_equal(mbox_quote_put(&q, SV("From x"), &b), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines),
		cmocka_unit_test(a_sender_is_one_line),
		cmocka_unit_test(quoting_does_not_depend_on_blocks),
		cmocka_unit_test(a_full_buffer_is_told),
	};
	return cmocka_run_group_tests_name("mbox_text", tests, NULL, NULL);
}
