/* Unit test of lib/wire/maillock_frame.c: what goes in comes out; every field broken once is refused. */
#include "tests/support/t.h"

#include "lib/wire/maillock_frame.h"

static struct maillock_request note(void)
{
	return (struct maillock_request){ .op = MAILLOCK_NOTE, .name = "anna",
		.number = { 1, UINT64_MAX, 3, 0x0102030405060708, 5, 6 } };
}

static void requests(UNUSED void **state)
{
	unsigned char frame[MAILLOCK_REQUEST_LEN];
	for (unsigned op = MAILLOCK_LOCK; op <= MAILLOCK_FORGET; op++) {
		struct maillock_request r = note(), back;
		r.op = (enum maillock_op)op;
		if (op != MAILLOCK_NOTE)
			memset(r.number, 0, sizeof(r.number));
		assert_int_equal(maillock_request_put(&r, frame), 0);
		assert_int_equal(maillock_request_get(frame, &back), 1);
		assert_int_equal(back.op, op);
		assert_string_equal(back.name, "anna");
		assert_memory_equal(r.number, back.number, sizeof(r.number));
	}
	/* the same octets on every machine */
	struct maillock_request r = note();
	assert_int_equal(maillock_request_put(&r, frame), 0);
	assert_memory_equal(frame, "MLK1\4\0\0\0anna\0", 13);
	assert_memory_equal(frame + 208 + 24, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	assert_int_equal(MAILLOCK_REQUEST_LEN, 256);
}

static void names(UNUSED void **state)
{
	char longest[MAILLOCK_NAME_MAX + 2];
	memset(longest, 'x', sizeof(longest));
	assert_true(maillock_name_ok(sv_n(longest, MAILLOCK_NAME_MAX)));
	assert_false(maillock_name_ok(sv_n(longest, MAILLOCK_NAME_MAX + 1)));
	static const char *const bad[] = { "", ".", "..", ".x", "-x", "a/b", "/", "a\nb", "a\x7f", "\t" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct maillock_request r = { .op = MAILLOCK_LOCK };
		unsigned char frame[MAILLOCK_REQUEST_LEN];
		t_case(bad[i]);
		assert_false(maillock_name_ok(sv_z(bad[i])));
		(void)snprintf(r.name, sizeof(r.name), "%s", bad[i]);
		assert_int_equal(maillock_request_put(&r, frame), -1);
		(void)snprintf(r.name, sizeof(r.name), "x");
		assert_int_equal(maillock_request_put(&r, frame), 0);
		memset(frame + 8, 0, 200);
		memcpy(frame + 8, bad[i], strlen(bad[i]));
		assert_int_equal(maillock_request_get(frame, &r), -1);
	}
	assert_true(maillock_name_ok(SV("anna.b-c_d@e\xc3\xa4 f")));
}

static void broken_requests(UNUSED void **state)
{
	/* an octet of each field made another one */
	static const struct {
		size_t at;
		unsigned char octet;
	} broken[] = { { 0, 'm' }, { 3, '2' }, { 4, 0 }, { 4, 6 }, { 5, 1 }, { 7, 1 }, { 8 + 5, 'x' }, { 207, 'x' } };
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct maillock_request r = note(), back = { .op = MAILLOCK_LOCK };
		unsigned char frame[MAILLOCK_REQUEST_LEN];
		assert_int_equal(maillock_request_put(&r, frame), 0);
		frame[broken[i].at] = broken[i].octet;
		assert_int_equal(maillock_request_get(frame, &back), -1);
		assert_int_equal(back.op, MAILLOCK_LOCK);
	}
	/* numbers belong to a note alone; a name that fills its field has no end */
	struct maillock_request r = note();
	unsigned char frame[MAILLOCK_REQUEST_LEN];
	assert_int_equal(maillock_request_put(&r, frame), 0);
	frame[4] = MAILLOCK_LOCK;
	assert_int_equal(maillock_request_get(frame, &r), -1);
	frame[4] = MAILLOCK_NOTE;
	memset(frame + 8, 'x', 200);
	assert_int_equal(maillock_request_get(frame, &r), -1);
}

static void answers(UNUSED void **state)
{
	static const struct {
		struct maillock_answer a;
		int rc;
	} cases[] = { { { MAILLOCK_DONE, 0 }, 1 }, { { MAILLOCK_BUSY, 0 }, 1 }, { { MAILLOCK_REFUSED, 0 }, 1 },
		{ { MAILLOCK_TROUBLE, 28 }, 1 }, { { MAILLOCK_TROUBLE, 0 }, -1 }, { { MAILLOCK_TROUBLE, 4096 }, -1 },
		{ { MAILLOCK_DONE, 1 }, -1 }, { { (enum maillock_status)0, 0 }, -1 },
		{ { (enum maillock_status)5, 0 }, -1 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned char frame[MAILLOCK_ANSWER_LEN];
		struct maillock_answer back = { .status = MAILLOCK_DONE };
		maillock_answer_put(&cases[i].a, frame);
		assert_int_equal(maillock_answer_get(frame, &back), cases[i].rc);
		if (cases[i].rc == 1)
			assert_memory_equal(&back, &cases[i].a, sizeof(back));
		frame[15] = 1;
		assert_int_equal(maillock_answer_get(frame, &back), -1);
		maillock_answer_put(&cases[i].a, frame);
		frame[1] = 'X';
		assert_int_equal(maillock_answer_get(frame, &back), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(requests), cmocka_unit_test(names),
		cmocka_unit_test(broken_requests), cmocka_unit_test(answers) };
	return cmocka_run_group_tests_name("maillock_frame", tests, NULL, NULL);
}
