/* Unit test of smtp/smtpc_order.c. Hosts are written as "pref/family/name", in the order of DNS. */
#include "tests/support/t.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "smtp/smtpc_order.h"

#define MAX 20

/* Not random at all: the seed decides. */
static uint64_t next_number(void *ctx)
{
	uint64_t *seed = ctx;
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static size_t read_hosts(const char *text, struct smtpc_addr *v)
{
	struct sv list = sv_z(text);
	size_t n = 0;
	for (struct sv word; (word = sv_take_word(&list)).len > 0; n++) {
		v[n] = (struct smtpc_addr){ .host = sv_from(word, 4), .pref = (unsigned)(word.p[0] - '0'),
			.family = word.p[2] == '4' ? AF_INET : AF_INET6 };
	}
	return n;
}

static void write_names(const struct smtpc_addr *v, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(out, v[i].host.p, v[i].host.len);
		out += v[i].host.len;
	}
	*out = '\0';
}

static void orders_and_limits(UNUSED void **state)
{
	static const struct {
		const char *hosts;
		enum smtpc_family first;
		bool balance;
		unsigned limit;
		const char *want;
	} rows[] = {
		{ "2/4/a 1/4/b 3/4/c", SMTPC_FAMILY_ANY, false, 0, "bac" },
		{ "1/4/a 1/6/b 1/4/c 2/6/d", SMTPC_FAMILY_IPV6, false, 0, "bacd" },
		{ "1/6/a 1/4/b 2/6/c 2/4/d", SMTPC_FAMILY_IPV4, false, 0, "badc" },
		{ "1/4/a 1/4/b 1/4/c", SMTPC_FAMILY_ANY, false, 2, "ab" },
		{ "1/4/a 1/4/b 1/4/c 1/6/d", SMTPC_FAMILY_ANY, true, 2, "ad" },
		{ "1/6/a 1/6/b 1/6/c 1/6/d 2/4/e 2/4/f 2/4/g", SMTPC_FAMILY_ANY, true, 5, "abcef" },
		{ "1/6/a 1/6/b 1/6/c", SMTPC_FAMILY_ANY, true, 2, "ab" },
		{ "1/6/a 1/4/b", SMTPC_FAMILY_ANY, true, 5, "ab" },
		{ "1/6/a 1/6/b 2/4/c", SMTPC_FAMILY_ANY, true, 1, "a" },
		{ "", SMTPC_FAMILY_ANY, true, 5, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtpc_addr v[MAX];
		char got[MAX + 1];
		struct smtpc_order how = { .first = rows[i].first, .balance = rows[i].balance, .limit = rows[i].limit };
		t_case(rows[i].hosts);
		size_t n = smtpc_order_choose(v, read_hosts(rows[i].hosts, v), &how);
		write_names(v, n, got);
		assert_string_equal(got, rows[i].want);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(v[k].best, v[k].pref == v[0].pref);
	}
}

static void equal_ones_are_shuffled_and_no_others(UNUSED void **state)
{
	uint64_t seed = 1;
	unsigned first[3] = { 0 };
	struct smtpc_order how = { .shuffle = true, .random = next_number, .ctx = &seed };
	for (unsigned i = 0; i < 3000; i++) {
		struct smtpc_addr v[MAX];
		char got[MAX + 1];
		size_t n = smtpc_order_choose(v, read_hosts("5/4/d 1/4/a 1/4/b 1/4/c", v), &how);
		write_names(v, n, got);
		assert_int_equal(n, 4);
		assert_int_equal(got[3], 'd');
		first[got[0] - 'a']++;
	}
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_true(first[i] > 800 && first[i] < 1200);
}

static void what_is_no_better_than_we_is_left_out(UNUSED void **state)
{
	struct smtpc_addr v[MAX];
	size_t n = read_hosts("3/4/c 1/4/a 2/4/b 2/4/x 4/4/d", v);
	smtpc_order_by_pref(v, n);
	assert_int_equal(smtpc_order_better(v, n, 2), 1);
	assert_int_equal(smtpc_order_better(v, n, 1), 0);
	assert_int_equal(smtpc_order_better(v, n, 9), 5);
	t_assert_sv(v[2].host, "x"); /* equal ones keep their order */
}

static void addresses_of_nobody(UNUSED void **state)
{
	static const struct {
		int family;
		const char *ip;
		bool bogus;
	} rows[] = {
		{ AF_INET, "192.0.2.1", false }, { AF_INET, "127.0.0.1", false }, { AF_INET, "10.0.0.1", false },
		{ AF_INET, "0.0.0.0", true }, { AF_INET, "0.1.2.3", true }, { AF_INET, "224.0.0.1", true },
		{ AF_INET, "255.255.255.255", true }, { AF_INET, "x", true }, { AF_INET, "", true },
		{ AF_INET6, "2001:db8::1", false }, { AF_INET6, "::1", false }, { AF_INET6, "::", true },
		{ AF_INET6, "ff02::1", true }, { AF_INET6, "::ffff:127.0.0.1", true },
		{ AF_INET6, "::192.0.2.1", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t_case(rows[i].ip);
		assert_int_equal(smtpc_order_bogus(rows[i].family, rows[i].ip), rows[i].bogus);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_and_limits),
		cmocka_unit_test(addresses_of_nobody),
		cmocka_unit_test(equal_ones_are_shuffled_and_no_others),
		cmocka_unit_test(what_is_no_better_than_we_is_left_out),
	};
	return cmocka_run_group_tests_name("smtpc_order", tests, NULL, NULL);
}
