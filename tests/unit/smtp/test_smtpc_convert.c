/* Unit test of smtp/smtpc_convert.c: what becomes of 8-bit parts, and of what is not MIME. */
#include "tests/support/t.h"

#include "smtp/smtpc_convert.h"

static int put(void *ctx, struct sv piece)
{
	return buf_put_sv(ctx, piece) < 0 ? 7 : 0;
}

static const struct {
	const char *in, *out;
} rows[] = {
	{ "Subject: x\nContent-Transfer-Encoding: 8bit\nX: y\n\ncaf\xc3\xa9 = \nb\n",
		"Subject: x\nContent-Transfer-Encoding: quoted-printable\nX: y\n\ncaf=C3=A9 =3D=20\nb\n" },
	{ "content-transfer-encoding:\n BINARY\n\n\xe4", "content-transfer-encoding:\n quoted-printable\n\n=E4" },
	/* nothing is said of 8 bits: nothing is done */
	{ "Subject: x\n\n\xe4\n", "Subject: x\n\n\xe4\n" },
	{ "Content-Transfer-Encoding: 7bit\n\n\xe4\n", "Content-Transfer-Encoding: 7bit\n\n\xe4\n" },
	{ "Content-Transfer-Encoding: base64\n\nQUJD\n", "Content-Transfer-Encoding: base64\n\nQUJD\n" },
	{ "\xe4\n", "\xe4\n" },
	{ "", "" },
	/* header fields stay */
	{ "Subject: \xe4\nContent-Transfer-Encoding: 8bit\n\n\xe4\n",
		"Subject: \xe4\nContent-Transfer-Encoding: quoted-printable\n\n=E4\n" },
	/* a multipart says 7bit, its parts are encoded one by one; the lines between them stay */
	{ "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npre\n--b\n"
	  "Content-Transfer-Encoding: 8bit\n\n\xe4 \n--b\n\nplain\n--b\nContent-Transfer-Encoding: base64\n\nQQ==\n"
	  "--b--\npost\n",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npre\n--b\n"
		"Content-Transfer-Encoding: quoted-printable\n\n=E4=20\n--b\n\nplain\n--b\n"
		"Content-Transfer-Encoding: base64\n\nQQ==\n--b--\npost\n" },
	/* a mail in a mail */
	{ "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: in\n"
	  "Content-Transfer-Encoding: 8bit\n\n\xe4\n",
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: in\n"
		"Content-Transfer-Encoding: quoted-printable\n\n=E4\n" },
};

static void converts(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a;
		struct buf out;
		t_case(rows[i].in);
		arena_init(&a, 1 << 20);
		buf_init(&out, 10000);
		struct mime_part *root;
		assert_int_equal(smtpc_convert_parse(sv_z(rows[i].in), &a, &root), 0);
		assert_int_equal(smtpc_convert(sv_z(rows[i].in), root, put, &out), 0);
		assert_string_equal(buf_z(&out), rows[i].out);
		buf_free(&out);
		arena_free(&a);
	}
}

static void stops_when_told(UNUSED void **state)
{
	struct arena a;
	struct buf out;
	arena_init(&a, 1 << 20);
	buf_init(&out, 50);
	struct mime_part *root;
	assert_int_equal(smtpc_convert_parse(sv_z(rows[0].in), &a, &root), 0);
	assert_int_equal(smtpc_convert(sv_z(rows[0].in), root, put, &out), 7);
	buf_free(&out);
	arena_free(&a);
	arena_init(&a, 10);
	assert_int_equal(smtpc_convert_parse(sv_z(rows[0].in), &a, &root), -1);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(converts), cmocka_unit_test(stops_when_told) };
	return cmocka_run_group_tests_name("smtpc_convert", tests, NULL, NULL);
}
