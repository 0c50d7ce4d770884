/* Unit test of lib/mail/qp_encode.c: known forms, lines within 76, and what transfer.h makes of them. */
#include "tests/support/t.h"

#include "lib/mail/qp_encode.h"
#include "lib/mail/transfer.h"

static void encode(struct sv in, size_t step, struct buf *out)
{
	struct qp_encoder q;
	qp_encode_init(&q);
	for (; in.len > 0; in = sv_from(in, step))
		assert_int_equal(qp_encode(&q, sv_upto(in, step), out), 0);
	assert_int_equal(qp_encode_finish(&q, out), 0);
}

static void known_forms(UNUSED void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ L("plain text\n"), "plain text\n" },
		{ L("caf\xc3\xa9 = 1\n"), "caf=C3=A9 =3D 1\n" },
		{ L("blank \ntab\t\n \n"), "blank=20\ntab=09\n=20\n" },
		{ L("a \r\nb\r\n"), "a=20\nb\n" },
		{ L("a\rb\r"), "a=0Db=0D" },
		{ L("a\0b"), "a=00b" },
		{ L("end "), "end=20" },
		{ L(""), "" },
		{ L("\n\n"), "\n\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step <= rows[i].len + 1; step++) {
			struct buf out;
			t_case(rows[i].in);
			buf_init(&out, 1000);
			encode(sv_n(rows[i].in, rows[i].len), step, &out);
			assert_string_equal(buf_z(&out), rows[i].out);
			buf_free(&out);
		}
}

/* Any octets come back, and no line is too long. */
static void comes_back(UNUSED void **state)
{
	uint32_t seed = 1;
	for (unsigned round = 0; round < 300; round++) {
		char octets[1000];
		struct buf out, back;
		static const char alphabet[] = "a=\n \t\xe4\0z";
		for (size_t i = 0; i < sizeof(octets); i++) {
			seed = seed * 1664525u + 1013904223u;
			octets[i] = alphabet[(seed >> 16) % (round % 2 ? sizeof(alphabet) - 1 : 2)];
		}
		buf_init(&out, 6000);
		buf_init(&back, 6000);
		encode(sv_n(octets, sizeof(octets)), 1 + seed % 100, &out);
		struct sv rest = buf_sv(&out), line;
		while (sv_take_line(&rest, &line))
			assert_true(line.len <= 76 && !sv_ends(line, SV(" ")) && !sv_ends(line, SV("\t")));
		assert_int_equal(transfer_decode_all(TRANSFER_QP, buf_sv(&out), &back), 0);
		assert_int_equal(back.len, sizeof(octets));
		assert_memory_equal(buf_z(&back), octets, sizeof(octets));
		buf_free(&out);
		buf_free(&back);
	}
}

static void stops_at_the_ceiling(UNUSED void **state)
{
	struct qp_encoder q;
	struct buf out;
	buf_init(&out, 10);
	qp_encode_init(&q);
	assert_int_equal(qp_encode(&q, SV("hello"), &out), -1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_forms),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(stops_at_the_ceiling),
	};
	return cmocka_run_group_tests_name("qp_encode", tests, NULL, NULL);
}
