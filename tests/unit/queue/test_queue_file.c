/* Unit test of lib/queue/queue_file.c: limits of the codecs. Whole files: test_queue_mail.c. */
#include "tests/support/t.h"

#include "lib/queue/queue_file.h"

static void cells_differ_in_more_than_one_bit(UNUSED void **state)
{
	static const enum queue_cell cells[] = { QUEUE_CELL_PENDING, QUEUE_CELL_DELIVERED, QUEUE_CELL_BOUNCED,
		QUEUE_CELL_DROPPED, QUEUE_CELL_EXPANDED };
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		for (size_t j = 0; j < i; j++)
			assert_int_equal(__builtin_popcount((unsigned)cells[i] ^ (unsigned)cells[j]), 4);
}

static void members_report_all_but_success(UNUSED void **state)
{
	assert_int_equal(queue_notify_of_members(0), 0);
	assert_int_equal(queue_notify_of_members(QUEUE_NOTIFY_NEVER), QUEUE_NOTIFY_NEVER);
	assert_int_equal(queue_notify_of_members(QUEUE_NOTIFY_SUCCESS), QUEUE_NOTIFY_NEVER);
	assert_int_equal(queue_notify_of_members(QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_DELAY), QUEUE_NOTIFY_DELAY);
	assert_int_equal(queue_notify_of_members(QUEUE_NOTIFY_FAILURE), QUEUE_NOTIFY_FAILURE);
}

static void long_fields_are_refused(UNUSED void **state)
{
	static char big[QUEUE_FACTS_MAX + 1];
	struct buf b;
	struct queue_rcpt r = { .address = sv_n(big, QUEUE_RCPT_MAX), .original = SV_NONE, .orcpt = SV_NONE };
	struct queue_facts f = { .uid = -1 };
	memset(big, 'x', sizeof(big));
	buf_init(&b, 1 << 20);
	assert_int_equal(queue_rcpt_encode(&r, &b), -1);
	r.address = SV_NONE;
	assert_int_equal(queue_rcpt_encode(&r, &b), -1);
	f.sender = sv_n(big, sizeof(big));
	assert_int_equal(queue_facts_encode(&f, &b), -1);
	buf_free(&b);
}

static void derived_nonces_depend_on_all(UNUSED void **state)
{
	uint64_t n = queue_nonce_derive(1, 2, SV("a, b"));
	assert_int_equal(n, queue_nonce_derive(1, 2, SV("a, b")));
	assert_int_not_equal(n, queue_nonce_derive(2, 2, SV("a, b")));
	assert_int_not_equal(n, queue_nonce_derive(1, 3, SV("a, b")));
	assert_int_not_equal(n, queue_nonce_derive(1, 2, SV("a, c")));
}

static void facts_round_trip(UNUSED void **state)
{
	struct queue_facts in = { .uid = 12, .ret = QUEUE_RET_FULL }, out;
	struct buf b;
#define X(field, type) in.field = SV("value of " #field);
	QUEUE_FACTS(X)
#undef X
	buf_init(&b, 1 << 16);
	assert_int_equal(queue_facts_encode(&in, &b), 0);
	assert_int_equal(queue_facts_decode(buf_sv(&b), &out), 1);
#define X(field, type) t_assert_sv(out.field, "value of " #field);
	QUEUE_FACTS(X)
#undef X
	assert_int_equal(out.uid, 12);
	assert_int_equal(out.ret, QUEUE_RET_FULL);
	for (size_t n = 1; n < b.len; n++) {
		int rc = queue_facts_decode(sv_n(b.p, n), &out);
		assert_true(rc == -1 || rc == 1); /* 1 only where a record ends */
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_differ_in_more_than_one_bit),
		cmocka_unit_test(members_report_all_but_success),
		cmocka_unit_test(long_fields_are_refused),
		cmocka_unit_test(derived_nonces_depend_on_all),
		cmocka_unit_test(facts_round_trip),
	};
	return cmocka_run_group_tests_name("queue_file", tests, NULL, NULL);
}
