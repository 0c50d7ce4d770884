/* Unit test of lib/wire/imap_seqset.c; row M06 of the attack catalogue. */
#include "lib/wire/imap_seqset.h"
#include "tests/support/t.h"

static const struct {
	const char *text;
	uint32_t max;
	const char *want; /* resolved, "lo:hi "; NULL: refused */
} cases[] = {
	{ "1", 10, "1:1 " },
	{ "1,3:5,2", 10, "1:5 " },
	{ "5:3", 10, "3:5 " },
	{ "*", 10, "10:10 " },
	{ "*:*", 10, "10:10 " },
	{ "8:*", 10, "8:10 " },
	{ "*:8", 10, "8:10 " },
	{ "20:*", 10, "10:20 " },
	{ "1:4294967295", 10, "1:4294967295 " },
	{ "4294967295:*", 10, "10:4294967295 " },
	{ "1:4294967295,2,4294967295", 10, "1:4294967295 " },
	{ "1,1,1", 10, "1:1 " },
	{ "1:*,1:*", 10, "1:10 " },
	{ "*", 0, "" },
	{ "1:*,3", 0, "3:3 " },
	{ "1,5,9", 10, "1:1 5:5 9:9 " },
	{ "0", 10, NULL },
	{ "0:1", 10, NULL },
	{ "1:0", 10, NULL },
	{ "4294967296", 10, NULL },
	{ "", 10, NULL },
	{ ",", 10, NULL },
	{ "1,", 10, NULL },
	{ ",1", 10, NULL },
	{ "1::2", 10, NULL },
	{ "1:", 10, NULL },
	{ ":1", 10, NULL },
	{ "1:2:3", 10, NULL },
	{ "**", 10, NULL },
	{ "a", 10, NULL },
	{ "-1", 10, NULL },
};

static void parses_and_resolves(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct imap_parser p;
		struct imap_seqset s;
		struct buf b;
		arena_init(&a, 1 << 20);
		buf_init(&b, 1000);
		t_case(cases[i].text);
		imap_parser_init(&p, sv_z(cases[i].text), &a, false);
		int rc = imap_seqset_parse(&p, &s);
		assert_int_equal(rc, cases[i].want ? 1 : -1);
		if (rc == 1) {
			imap_seqset_resolve(&s, cases[i].max);
			for (size_t k = 0; k < s.count; k++) {
				buf_printf(&b, "%u:%u ", s.r[k].lo, s.r[k].hi);
				assert_true(imap_seqset_has(&s, s.r[k].lo));
				assert_true(imap_seqset_has(&s, s.r[k].hi));
			}
			t_assert_sv(buf_sv(&b), cases[i].want);
			assert_false(imap_seqset_has(&s, 0));
			assert_int_equal(imap_seqset_last(&s), s.count ? s.r[s.count - 1].hi : 0);
		}
		buf_free(&b);
		arena_free(&a);
	}
}

/* M06: 10^5 ranges that all mean everything. */
static void many_ranges_are_merged(UNUSED void **state)
{
	struct arena a;
	struct imap_parser p;
	struct imap_seqset s;
	struct buf b;
	arena_init(&a, 4 << 20);
	buf_init(&b, 1 << 20);
	buf_puts(&b, "1:*");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, ",1:*");
	imap_parser_init(&p, buf_sv(&b), &a, false);
	assert_int_equal(imap_seqset_parse(&p, &s), 1);
	imap_seqset_resolve(&s, 4294967295u);
	assert_int_equal(s.count, 1);
	buf_free(&b);
	arena_free(&a);
}

static void saved_and_written(UNUSED void **state)
{
	struct arena a;
	struct imap_parser p;
	struct imap_seqset s;
	struct buf b;
	static const uint32_t n[] = { 1, 2, 3, 5, 7, 8 };
	arena_init(&a, 1000);
	buf_init(&b, 1000);
	imap_parser_init(&p, SV("$"), &a, false);
	assert_int_equal(imap_seqset_parse(&p, &s), 1);
	assert_true(s.saved);
	imap_seqset_write(&b, n, ARRAY_LEN(n));
	t_assert_sv(buf_sv(&b), "1:3,5,7:8");
	buf_free(&b);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_resolves),
		cmocka_unit_test(many_ranges_are_merged),
		cmocka_unit_test(saved_and_written),
	};
	return cmocka_run_group_tests_name("imap_seqset", tests, NULL, NULL);
}
