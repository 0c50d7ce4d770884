/* Unit test of smtp/smtpc_ehlo.c: what servers say of themselves. */
#include "tests/support/t.h"

#include "smtp/smtpc_ehlo.h"

static void reads_replies(UNUSED void **state)
{
	static const struct {
		const char *text;
		unsigned discard, features;
		uint64_t size;
		const char *domain;
	} rows[] = {
		{ "250 mx.test", 0, SMTPC_EHLO, 0, "mx.test" },
		{ "250", 0, SMTPC_EHLO, 0, "" },
		{ "250-mx.test greets you\n250-PIPELINING\n250 SIZE 1000", 0,
			SMTPC_EHLO | SMTPC_PIPELINING | SMTPC_SIZE, 1000, "mx.test" },
		{ "250-mx\n250-size\n250 dsn", 0, SMTPC_EHLO | SMTPC_SIZE | SMTPC_DSN, 0, "mx" },
		{ "250-mx\n250 SIZE 0", 0, SMTPC_EHLO | SMTPC_SIZE, 0, "mx" },
		{ "250-mx\n250 SIZE -1", 0, SMTPC_EHLO | SMTPC_SIZE, 0, "mx" },
		{ "250-mx\n250 SIZE 99999999999999999999999", 0, SMTPC_EHLO | SMTPC_SIZE, 0, "mx" },
		{ "250-mx\n250-AUTH PLAIN\n250 AUTH=LOGIN", 0, SMTPC_EHLO | SMTPC_AUTH, 0, "mx" },
		{ "250-mx\n250-STARTTLS\n250-SMTPUTF8\n250-8BITMIME\n250-CHUNKING\n250 XYZZY", 0,
			SMTPC_EHLO | SMTPC_STARTTLS | SMTPC_SMTPUTF8 | SMTPC_8BITMIME | SMTPC_CHUNKING, 0, "mx" },
		{ "250-mx\n250-SIZE 7\n250 DSN", SMTPC_SIZE, SMTPC_EHLO | SMTPC_DSN, 0, "mx" },
		/* the first line is a greeting whatever stands in it */
		{ "250-PIPELINING\n250 DSN", 0, SMTPC_EHLO | SMTPC_DSN, 0, "PIPELINING" },
		{ "250-mx\n250-\n250  DSN", 0, SMTPC_EHLO | SMTPC_DSN, 0, "mx" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtpc_ehlo got;
		t_case(rows[i].text);
		smtpc_ehlo_parse(sv_z(rows[i].text), rows[i].discard, &got);
		assert_int_equal(got.features, rows[i].features);
		assert_int_equal(got.size, rows[i].size);
		t_assert_sv(got.domain, rows[i].domain);
	}
}

static void reads_words_to_discard(UNUSED void **state)
{
	unsigned bits = 0;
	struct sv unknown;
	assert_int_equal(smtpc_ehlo_words(SV("silent-discard, Dsn chunking"), &bits, &unknown), 1);
	assert_int_equal(bits, SMTPC_DSN | SMTPC_CHUNKING);
	assert_int_equal(smtpc_ehlo_words(SV("size, xyzzy"), &bits, &unknown), 0);
	t_assert_sv(unknown, "xyzzy");
	assert_int_equal(bits, SMTPC_DSN | SMTPC_CHUNKING | SMTPC_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_replies),
		cmocka_unit_test(reads_words_to_discard),
	};
	return cmocka_run_group_tests_name("smtpc_ehlo", tests, NULL, NULL);
}
