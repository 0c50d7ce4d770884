/* Unit test of lib/mail/transfer.c; row F04 of the attack catalogue. */
#include "lib/mail/transfer.h"
#include "tests/support/t.h"

static const struct {
	enum transfer_encoding kind;
	const char *in;
	const char *out;
} cases[] = {
	{ TRANSFER_BASE64, "aGVsbG8=", "hello" },
	{ TRANSFER_BASE64, "aGVs\nbG8=\n", "hello" },
	{ TRANSFER_BASE64, "aGVs!bG8", "hello" },
	{ TRANSFER_BASE64, "aGVsbG8=aGVsbG8=", "hellohello" },
	{ TRANSFER_BASE64, "a", "" },
	{ TRANSFER_BASE64, "====", "" },
	{ TRANSFER_QP, "a=3Db=3d", "a=b=" },
	{ TRANSFER_QP, "soft =\nbreak=\r\nhere", "soft breakhere" },
	{ TRANSFER_QP, "soft = \t\nx", "soft x" },
	{ TRANSFER_QP, "trailing  \t\nblank \r\nz ", "trailing\nblank\r\nz " },
	{ TRANSFER_QP, "a=", "a" },
	{ TRANSFER_QP, "a=4", "a=4" },
	{ TRANSFER_QP, "a=ZZ=4Z==41", "a=ZZ=4Z=A" },
	{ TRANSFER_QP, "a=\rb", "a=\rb" },
	{ TRANSFER_QP, "=C3=A9", "\xc3\xa9" },
	{ TRANSFER_QP, "a =20\n", "a  \n" },
	{ TRANSFER_8BIT, "a=3D ", "a=3D " },
	{ TRANSFER_UNKNOWN, "a=3D ", "a=3D " },
};

static void decodes_in_every_segmentation(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].in);
		for (size_t step = 1; step <= len; step++) {
			struct transfer_decoder d;
			struct buf b;
			struct sv in = sv_z(cases[i].in);
			buf_init(&b, 1000);
			transfer_init(&d, cases[i].kind);
			for (; in.len; in = sv_from(in, step))
				assert_int_equal(transfer_decode(&d, sv_upto(in, step), &b), 0);
			assert_int_equal(transfer_finish(&d, &b), 0);
			t_case(cases[i].in);
			t_assert_sv(buf_sv(&b), cases[i].out);
			buf_free(&b);
		}
	}
}

static void many_blanks_are_kept(UNUSED void **state)
{
	struct buf in, out;
	buf_init(&in, 1000);
	buf_init(&out, 1000);
	for (int i = 0; i < 200; i++)
		buf_putc(&in, ' ');
	buf_putc(&in, 'x');
	assert_int_equal(transfer_decode_all(TRANSFER_QP, buf_sv(&in), &out), 0);
	assert_true(sv_eq(buf_sv(&in), buf_sv(&out)));
	buf_free(&in);
	buf_free(&out);
}

static void knows_names(UNUSED void **state)
{
	assert_int_equal(transfer_encoding_of(SV(" BASE64 ")), TRANSFER_BASE64);
	assert_int_equal(transfer_encoding_of(SV("quoted-printable;x")), TRANSFER_QP);
	assert_int_equal(transfer_encoding_of(SV("(c) 8bit (d)")), TRANSFER_8BIT);
	assert_int_equal(transfer_encoding_of(SV("")), TRANSFER_7BIT);
	assert_int_equal(transfer_encoding_of(SV("(")), TRANSFER_7BIT);
	assert_int_equal(transfer_encoding_of(SV("x-uuencode")), TRANSFER_UNKNOWN);
	assert_string_equal(transfer_encoding_name(TRANSFER_QP), "quoted-printable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_in_every_segmentation),
		cmocka_unit_test(many_blanks_are_kept),
		cmocka_unit_test(knows_names),
	};
	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
