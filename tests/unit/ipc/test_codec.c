/* Unit test of lib/ipc/codec.c and the generated messages: round trips, and each rule broken once. */
#include "tests/support/t.h"

#include "lib/ipc/codec.h"
#include "lib/ipc/msg.h"

static struct arena arena;
static struct buf body;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&body, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_free(&body);
	return 0;
}

static void test_round_trip(void **state)
{
	struct sv names[] = { SV("a@b.example"), SV(""), SV_INIT("nul\0inside") };
	uint64_t offsets[] = { 1, UINT64_MAX, 0 };
	uint32_t notifies[] = { 0, 7 };
	struct msg_deliver_request in = { .queue_id = SV("4Xyz"), .nonce = UINT64_MAX, .flags = 3,
		.arrival_us = -5, .smtputf8 = true, .offsets = { offsets, 3 }, .recipients = { names, 3 },
		.notifies = { notifies, 2 }, .transport = SV("local") };
	struct msg_deliver_request out;
	struct err e = ERR_INIT;
	(void)state;
	assert_int_equal(msg_deliver_request_encode(&in, &body), 0);
	assert_int_equal(msg_deliver_request_decode(buf_sv(&body), &arena, &out, &e), 1);
	t_assert_sv(out.queue_id, "4Xyz");
	t_assert_sv(out.queue_name, "");
	assert_non_null(out.queue_name.p);
	assert_true(out.nonce == UINT64_MAX);
	assert_int_equal(out.flags, 3);
	assert_int_equal(out.arrival_us, -5);
	assert_true(out.smtputf8);
	assert_int_equal(out.offsets.n, 3);
	assert_true(out.offsets.v[1] == UINT64_MAX);
	assert_int_equal(out.notifies.v[1], 7);
	assert_int_equal(out.recipients.n, 3);
	t_assert_sv(out.recipients.v[0], "a@b.example");
	t_assert_sv(out.recipients.v[1], "");
	assert_true(sv_eq(out.recipients.v[2], names[2]));
	assert_int_equal(out.originals.n, 0);
	t_assert_sv(out.transport, "local");
}

static void test_empty_message(void **state)
{
	struct msg_cleanup_end in, out;
	struct err e = ERR_INIT;
	(void)state;
	assert_int_equal(msg_cleanup_end_encode(&in, &body), 0);
	assert_int_equal(body.len, 0);
	assert_int_equal(msg_cleanup_end_decode(buf_sv(&body), &arena, &out, &e), 1);
}

static void test_dump(void **state)
{
	struct sv addresses[] = { SV("a\"b"), SV("c\n") };
	struct msg_rewrite_rewrite in = { .context = SV("local"), .addresses = { addresses, 2 } };
	(void)state;
	msg_rewrite_rewrite_dump(&in, &body);
	t_assert_sv(buf_sv(&body),
		"rewrite.rewrite context=\"local\" addresses=[\"a\\x22b\",\"c\\x0a\"]");
}

/* anvil.event: 1 U32 kind, 2 STR service, 3 STR address */
static const struct {
	const char *name;
	const char *octets;
	size_t len;
	int rc;
} cases[] = {
	{ "nothing", L(""), 1 },
	{ "a number", L("\1\0\1\0\4\0\0\0\7\0\0\0"), 1 },
	{ "a string", L("\2\0\5\0\3\0\0\0abc"), 1 },
	{ "unknown tag", L("\x63\0\5\0\3\0\0\0abc\1\0\1\0\4\0\0\0\7\0\0\0"), 1 },
	{ "unknown kind of an unknown tag", L("\x63\0\x77\0\0\0\0\0"), 1 },
	{ "empty string given", L("\2\0\5\0\0\0\0\0"), 1 },
	{ "cut off head", L("\1\0\1\0\4\0\0"), -1 },
	{ "cut off value", L("\1\0\1\0\4\0\0\0\7\0\0"), -1 },
	{ "number too short", L("\1\0\1\0\3\0\0\0\7\0\0"), -1 },
	{ "number too long", L("\1\0\1\0\5\0\0\0\7\0\0\0\0"), -1 },
	{ "wrong kind", L("\1\0\5\0\4\0\0\0\7\0\0\0"), -1 },
	{ "reserved octet", L("\1\0\1\1\4\0\0\0\7\0\0\0"), -1 },
	{ "length of 4 GB", L("\2\0\5\0\xff\xff\xff\xff" "abc"), -1 },
	{ "given twice", L("\2\0\5\0\1\0\0\0a\2\0\5\0\1\0\0\0b"), -1 },
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg_anvil_event out;
		struct err e = ERR_INIT;
		int rc = msg_anvil_event_decode(sv_n(cases[i].octets, cases[i].len), &arena, &out, &e);
		if (rc != cases[i].rc)
			fail_msg("%s: %d", cases[i].name, rc);
		if (rc < 0)
			assert_int_equal(e.cls, ERR_TEMP);
	}
}

/* rewrite.rewrite: 2 STRS addresses; deliver.results: 1 U64S, 2 U32S */
static void test_malformed_lists(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
		int rc;
	} strs[] = {
		{ L("\2\0\6\0\5\0\0\0\1\0\0\0a"), 1 },
		{ L("\2\0\6\0\3\0\0\0\1\0\0"), -1 },
		{ L("\2\0\6\0\5\0\0\0\2\0\0\0a"), -1 },
		{ L("\2\0\6\0\5\0\0\0\xff\xff\xff\xff" "a"), -1 },
		{ L("\2\0\6\0\6\0\0\0\1\0\0\0ab"), -1 },
	};
	struct msg_rewrite_rewrite r;
	struct msg_deliver_results d;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strs); i++)
		assert_int_equal(
			msg_rewrite_rewrite_decode(sv_n(strs[i].octets, strs[i].len), &arena, &r, NULL),
			strs[i].rc);
	assert_int_equal(msg_deliver_results_decode(SV("\1\0\x8\0\7\0\0\0abcdefg"), &arena, &d, NULL), -1);
	assert_int_equal(msg_deliver_results_decode(SV("\2\0\7\0\3\0\0\0abc"), &arena, &d, NULL), -1);
	assert_int_equal(msg_deliver_results_decode(SV("\2\0\7\0\4\0\0\0\1\0\0\0"), &arena, &d, NULL), 1);
}

static void test_arena_ceiling(void **state)
{
	struct sv many[300];
	struct msg_rewrite_rewrite in = { .addresses = { many, ARRAY_LEN(many) } }, out;
	struct arena small;
	struct err e = ERR_INIT;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = SV_NONE;
	assert_int_equal(msg_rewrite_rewrite_encode(&in, &body), 0);
	arena_init(&small, 1024);
	assert_int_equal(msg_rewrite_rewrite_decode(buf_sv(&body), &small, &out, &e), -1);
	arena_free(&small);
}

static void test_encode_ceiling(void **state)
{
	struct msg_anvil_event in = { .service = SV("0123456789") };
	struct buf small;
	(void)state;
	buf_init(&small, 12);
	assert_int_equal(msg_anvil_event_encode(&in, &small), -1);
	buf_free(&small);
}

/* Ids and types are unique, tags too: a copy error in a .def would show as a wrong decode elsewhere. */
static void test_table(void **state)
{
	size_t n;
	const struct msg_desc *d = msg_table(&n);
	(void)state;
	assert_true(n > 30);
	for (size_t i = 0; i < n; i++) {
		size_t nf;
		const struct msg_field *f = d[i].fields(&nf);
		t_case(d[i].name);
		assert_true(nf <= 64);
		for (size_t a = 0; a < nf; a++)
			for (size_t b = 0; b < a; b++)
				if (f[a].tag == f[b].tag)
					fail_msg("%s %s: tag %u twice", d[i].protocol_name, d[i].name,
						f[a].tag);
		for (size_t k = 0; k < i; k++) {
			bool same = strcmp(d[i].protocol_name, d[k].protocol_name) == 0;
			assert_true(same == (d[i].protocol == d[k].protocol));
			if (same)
				assert_int_not_equal(d[i].type, d[k].type);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_ceiling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode_ceiling, setup, teardown),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
