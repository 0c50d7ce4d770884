/* Unit test of smtp/smtpc_command.c: MAIL and RCPT with what the server knows. */
#include "tests/support/t.h"

#include "lib/queue/queue_file.h"
#include "smtp/smtpc_command.h"

#define ALL (SMTPC_SIZE | SMTPC_8BITMIME | SMTPC_DSN | SMTPC_SMTPUTF8)

static void writes_mail(UNUSED void **state)
{
	static const struct {
		unsigned features;
		const char *sender, *envid;
		uint32_t ret, content;
		bool utf8;
		const char *want;
	} rows[] = {
		{ 0, "a@x.test", "QQ", DSN_RET_FULL, QUEUE_CONTENT_8BIT, false, "MAIL FROM:<a@x.test>" },
		{ ALL, "", "", 0, 0, false, "MAIL FROM:<> SIZE=1234" },
		{ ALL, "a b@x.test", "Q Q", DSN_RET_HDRS, QUEUE_CONTENT_8BIT, false,
			"MAIL FROM:<\"a b\"@x.test> SIZE=1234 BODY=8BITMIME RET=HDRS ENVID=Q+20Q" },
		{ ALL, "a@x.test", "", DSN_RET_FULL, 0, true, "MAIL FROM:<a@x.test> SIZE=1234 SMTPUTF8 RET=FULL" },
		{ ALL, "\xc3\xa4@x.test", "", 0, 0, false, "MAIL FROM:<\xc3\xa4@x.test> SIZE=1234 SMTPUTF8" },
	};
	struct smtpc_settings set = { .quote = true };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtpc_session s = { .set = &set, .features = rows[i].features };
		struct deliver_request rq = { .sender = sv_z(rows[i].sender), .crlf_size = 1234,
			.content_flags = rows[i].content, .envid = sv_z(rows[i].envid), .ret = rows[i].ret,
			.smtputf8 = rows[i].utf8 };
		struct buf b;
		buf_init(&b, SMTPC_COMMAND_MAX);
		assert_int_equal(smtpc_put_mail(&b, &rq, &s), 0);
		assert_string_equal(buf_z(&b), rows[i].want);
		buf_free(&b);
	}
}

static void writes_rcpt(UNUSED void **state)
{
	static const struct {
		unsigned features;
		const char *recipient, *original, *orcpt;
		uint32_t notify;
		bool quote;
		const char *want;
	} rows[] = {
		{ 0, "a@x.test", "b@x.test", "rfc822;c@x.test", DSN_NOTIFY_NEVER, true, "RCPT TO:<a@x.test>" },
		{ SMTPC_DSN, "a@x.test", "", "", 0, true, "RCPT TO:<a@x.test>" },
		{ SMTPC_DSN, "a@x.test", "b+c=d@x.test", "", DSN_NOTIFY_NEVER, true,
			"RCPT TO:<a@x.test> NOTIFY=NEVER ORCPT=rfc822;b+2Bc+3Dd@x.test" },
		{ SMTPC_DSN, "a@x.test", "b@x.test", "rfc822;c d@x.test", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, true,
			"RCPT TO:<a@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+20d@x.test" },
		{ SMTPC_DSN, "a@x.test", "", "x-x400;/C=DE", 0, true, "RCPT TO:<a@x.test> ORCPT=x-x400;/C+3DDE" },
		{ SMTPC_DSN, "a@x.test", "", "utf-8;\xc3\xa4@x.test", 0, true,
			"RCPT TO:<a@x.test> ORCPT=utf-8;\\x{E4}@x.test" },
		{ SMTPC_DSN, "a@x.test", "\xc3\xa4@x.test", "", 0, true,
			"RCPT TO:<a@x.test> ORCPT=utf-8;\\x{E4}@x.test" },
		{ 0, "a b@x.test", "", "", 0, false, "RCPT TO:<a b@x.test>" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtpc_settings set = { .quote = rows[i].quote };
		struct smtpc_session s = { .set = &set, .features = rows[i].features };
		struct deliver_rcpt r = { .recipient = sv_z(rows[i].recipient), .original = sv_z(rows[i].original),
			.orcpt = sv_z(rows[i].orcpt), .notify = rows[i].notify };
		struct buf b;
		t_case(rows[i].want);
		buf_init(&b, SMTPC_COMMAND_MAX);
		assert_int_equal(smtpc_put_rcpt(&b, &r, &s), 0);
		assert_string_equal(buf_z(&b), rows[i].want);
		buf_free(&b);
	}
}

static void the_longest_addresses_fit(UNUSED void **state)
{
	struct smtpc_settings set = { .quote = true };
	struct smtpc_session s = { .set = &set, .features = ALL };
	char address[1025];
	memset(address, ' ', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	memcpy(address + sizeof(address) - 8, "@x.test", 7);
	struct deliver_rcpt r = { .recipient = sv_z(address), .original = sv_z(address), .notify = 15 };
	struct buf b;
	buf_init(&b, SMTPC_COMMAND_MAX);
	assert_int_equal(smtpc_put_rcpt(&b, &r, &s), 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_mail),
		cmocka_unit_test(writes_rcpt),
		cmocka_unit_test(the_longest_addresses_fit),
	};
	return cmocka_run_group_tests_name("smtpc_command", tests, NULL, NULL);
}
