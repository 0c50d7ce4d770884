/* Unit test of lib/mail/header.c; rows A15, F01, F05, F06 of the attack catalogue. */
#include "lib/mail/header.h"
#include "tests/support/t.h"

/* Fields shown as "name=body;" with LF as '|', then "#" and the body of the message. */
static const struct {
	const char *name;
	const char *message;
	size_t len;
	const char *want;
} splits[] = {
	{ "plain", L("From: a\nTo: b\n\nbody\n"), "From= a;To= b;#body|" },
	{ "crlf", L("From: a\r\nTo: b\r\n\r\nbody\r\n"), "From= a;To= b;#body\r|" },
	{ "folded", L("To: a,\n b\n\tc\nX:\n\n"), "To= a,| b|\tc;X=;#" },
	{ "A15 blank line in a fold", L("To: a\n \n b\n\nx"), "To= a| | b;#x" },
	{ "A15 no header", L("\nbody"), "#body" },
	{ "A15 header only", L("A: b\n"), "A= b;#" },
	{ "A15 header only, no line end", L("A: b"), "A= b;#" },
	{ "A15 From_ first", L("From x Mon\nA: b\n\n"), "#From x Mon|A: b||" },
	{ "body without empty line", L("A: b\nno colon here\nC: d\n"), "A= b;#no colon here|C: d|" },
	{ "fold first", L(" a: b\n\nc"), "# a: b||c" },
	{ "F06 blank before colon", L("Subject\t : x\n\n"), "Subject= x;#" },
	{ "F06 blank in name", L("Sub ject: x\n\n"), "#Sub ject: x||" },
	{ "F06 NUL in name", L("Sub\0ject: x\n\n"), "#Sub\0ject: x||" },
	{ "F06 8-bit name", L("S\xc3\xbc: x\n\n"), "#S\xc3\xbc: x||" },
	{ "no name", L(": x\n\n"), "#: x||" },
	{ "empty", L(""), "#" },
};

static void put_visible(struct buf *b, struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_putc(b, s.p[i] == '\n' ? '|' : s.p[i]);
}

static void splits_messages(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct sv message = sv_n(splits[i].message, splits[i].len), rest = message, head, body;
		struct header_field f;
		struct buf b;
		size_t raw = 0;
		buf_init(&b, 1000);
		while (header_next(&rest, &f) == 1) {
			buf_put_sv(&b, f.name);
			buf_putc(&b, '=');
			put_visible(&b, f.body);
			buf_putc(&b, ';');
			raw += f.raw.len;
		}
		buf_putc(&b, '#');
		put_visible(&b, rest);
		t_case(splits[i].name);
		if (sv_chr(message, '\0') < 0)
			t_assert_sv(buf_sv(&b), splits[i].want);
		header_split(message, &head, &body);
		assert_int_equal(head.len, raw);
		assert_true(sv_eq(body, rest));
		buf_free(&b);
	}
}

static void knows_its_fields(UNUSED void **state)
{
	for (unsigned id = 1; id < HDR_ID_COUNT; id++)
		assert_int_equal(header_id_of(sv_z(header_name((enum header_id)id))), id);
	assert_int_equal(header_id_of(SV("mEsSaGe-iD")), HDR_MESSAGE_ID);
	assert_int_equal(header_id_of(SV("X-Unknown")), HDR_OTHER);
	assert_int_equal(header_id_of(SV("")), HDR_OTHER);
	assert_true(header_classes(HDR_BCC) & HDRC_DROP);
	assert_true(header_classes(HDR_RESENT_TO) & HDRC_EXTRACT);
	assert_int_equal(header_classes(HDR_OTHER), 0);
	assert_string_equal(header_name((enum header_id)999), "");
}

static void finds_and_unfolds(UNUSED void **state)
{
	struct header_field f;
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(header_find(SV("A: 1\nSUBJECT: a\n b\r\n\tc\n"), SV("Subject"), &f), 1);
	assert_int_equal(f.id, HDR_SUBJECT);
	header_unfold(&b, f.body);
	t_assert_sv(buf_sv(&b), "a b\tc");
	assert_int_equal(header_find(SV("A: 1\n\nSubject: x\n"), SV("Subject"), &f), 0);
	buf_free(&b);
}

static const struct {
	const char *value;
	size_t len;
	size_t width;
	const char *want;
} puts_[] = {
	{ L("a b"), 78, "N: a b\n" },
	{ L(""), 78, "N: \n" },
	{ L("aaaa bbbb cccc"), 10, "N: aaaa\n bbbb cccc\n" },
	{ L("aaaaaaaaaaaaaaaa b"), 10, "N: aaaaaaaaaaaaaaaa\n b\n" },
	{ L("a\r\nBcc: x\n\n.\n\0"), 78, "N: a  Bcc: x  .\n" },
	{ L("a\nb"), 4, "N: a\n b\n" },
	{ L("a    "), 2, "N: a\n" },
};

static void writes_fields(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(puts_); i++) {
		struct buf b;
		struct sv rest;
		struct header_field f;
		buf_init(&b, 1000);
		t_case(puts_[i].value);
		header_put(&b, SV("N"), sv_n(puts_[i].value, puts_[i].len), puts_[i].width);
		if (sv_chr(sv_n(puts_[i].value, puts_[i].len), '\0') < 0)
			t_assert_sv(buf_sv(&b), puts_[i].want);
		/* always exactly one field */
		rest = buf_sv(&b);
		assert_int_equal(header_next(&rest, &f), 1);
		assert_int_equal(rest.len, 0);
		buf_free(&b);
	}
}

/* F01: a header of 10^5 folds is read once. */
static void long_headers_are_linear(UNUSED void **state)
{
	struct buf b;
	struct header_field f;
	buf_init(&b, 10 << 20);
	buf_puts(&b, "X: y\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, " z\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "A: b\n");
	struct sv rest = buf_sv(&b);
	size_t n = 0;
	while (header_next(&rest, &f) == 1)
		n++;
	assert_int_equal(n, 100001);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_messages),
		cmocka_unit_test(knows_its_fields),
		cmocka_unit_test(finds_and_unfolds),
		cmocka_unit_test(writes_fields),
		cmocka_unit_test(long_headers_are_linear),
	};
	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
