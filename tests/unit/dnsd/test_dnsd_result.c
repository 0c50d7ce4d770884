/* Unit test of dnsd/dnsd_result.c: what of a parsed answer reaches the caller. */
#include "tests/support/t.h"

#include "dnsd/dnsd.h"

static const struct dnsd_bounds bounds = { .max_ttl_s = 3600, .max_negative_ttl_s = 300 };

static struct dns_rr rr(uint16_t type, const char *owner, uint32_t ttl)
{
	return (struct dns_rr){ .type = type, .owner = sv_z(owner), .ttl = ttl };
}

static struct dns_rr cname(const char *owner, const char *target, uint32_t ttl)
{
	struct dns_rr r = rr(DNS_CNAME, owner, ttl);
	r.name = sv_z(target);
	r.name_ok = true;
	return r;
}

static struct dns_rr address(const char *owner, uint32_t ttl)
{
	struct dns_rr r = rr(DNS_A, owner, ttl);
	r.data = SV("\300\0\002\001");
	return r;
}

static struct dns_rr mx(const char *owner, uint16_t pref, const char *target, bool ok)
{
	struct dns_rr r = rr(DNS_MX, owner, 100);
	r.pref = pref;
	r.name = sv_z(target);
	r.name_ok = ok;
	return r;
}

static struct dnsd_result *result(
        int rcode, struct dns_rr *list, size_t n, uint16_t type, uint32_t negative, char *next)
{
	struct sv canonical = SV("a.test"); /* as dns_answer_parse() would say */
	for (size_t i = 0; i < n; i++)
		if (list[i].type == DNS_CNAME)
			canonical = list[i].name;
	struct dns_answer a = { .rcode = rcode,
		.canonical = canonical,
		.rr = list,
		.count = n,
		.negative_ttl = negative };
	return result_from_answer(SV("a.test"), type, &a, &bounds, 1000, next);
}

static void addresses_and_aliases(UNUSED void **state)
{
	char next[DNS_NAME_MAX + 1];
	struct dns_rr list[] = { cname("a.test", "b.test", 50), cname("B.test", "c.test", 500),
		address("c.test", 100000) };
	struct dnsd_result *r = result(DNS_NOERROR, list, ARRAY_LEN(list), DNS_A, 0, next);
	assert_non_null(r);
	assert_int_equal(r->status, CLNT_DNS_ANSWER);
	assert_int_equal(r->n, 1);
	t_assert_sv(r->records[0].data, "192.0.2.1");
	t_assert_sv(r->canonical, "c.test");
	assert_int_equal(r->expires_ms, 1000 + 50 * 1000); /* the shortest of the chain */
	assert_int_equal(r->records[0].ttl, 3600);         /* bounded */
	result_release(r);
}

static void an_alias_out_of_the_message_is_asked_for(UNUSED void **state)
{
	char next[DNS_NAME_MAX + 1];
	struct dns_rr list[] = { cname("a.test", "far.test", 50) };
	assert_null(result(DNS_NOERROR, list, 1, DNS_A, 0, next));
	assert_string_equal(next, "far.test");
	struct dnsd_result *r = result(DNS_NOERROR, list, 1, DNS_A, 60, next);
	assert_int_equal(r->status, CLNT_DNS_NO_DATA);
	result_release(r);
	r = result(DNS_NXDOMAIN, list, 1, DNS_A, 60, next);
	assert_int_equal(r->status, CLNT_DNS_NO_NAME);
	result_release(r);
}

static void mail_exchangers_sorted_and_checked(UNUSED void **state)
{
	char next[DNS_NAME_MAX + 1];
	struct dns_rr list[] = { mx("a.test", 20, "second.test", true),
		mx("a.test", 30, "bad name", false), mx("a.test", 10, "first.test", true),
		mx("a.test", 20, "third.test", true) };
	struct dnsd_result *r = result(DNS_NOERROR, list, ARRAY_LEN(list), DNS_MX, 0, next);
	assert_int_equal(r->n, 3);
	t_assert_sv(r->records[0].data, "first.test");
	t_assert_sv(r->records[1].data, "second.test");
	t_assert_sv(r->records[2].data, "third.test");
	result_release(r);
	struct dns_rr null_mx[] = { mx("a.test", 0, "", true) };
	r = result(DNS_NOERROR, null_mx, 1, DNS_MX, 0, next);
	assert_int_equal(r->n, 1);
	t_assert_sv(r->records[0].data, "");
	result_release(r);
	struct dns_rr bad[] = { mx("a.test", 0, "bad name", false) };
	r = result(DNS_NOERROR, bad, 1, DNS_MX, 0, next);
	assert_int_equal(r->status, CLNT_DNS_INVALID); /* NO_DATA would imply an MX */
	assert_int_equal(r->expires_ms - r->made_ms, 100000);
	result_release(r);
	struct dns_rr mixed[] = { mx("a.test", 0, "", true), mx("a.test", 5, "host.test", true) };
	r = result(DNS_NOERROR, mixed, 2, DNS_MX, 0, next);
	assert_int_equal(r->n, 1);
	t_assert_sv(r->records[0].data, "host.test");
	result_release(r);
	struct dns_rr twice[] = { mx("a.test", 0, "", true), mx("a.test", 5, "", true) };
	r = result(DNS_NOERROR, twice, 2, DNS_MX, 0, next);
	assert_int_equal(r->n, 1);
	t_assert_sv(r->records[0].data, "");
	result_release(r);
}

static void codes_mean_different_things(UNUSED void **state)
{
	static const struct {
		int rcode;
		enum clnt_dns_status status;
		uint32_t negative;
		int64_t life_ms;
	} cases[] = {
		{ DNS_NXDOMAIN, CLNT_DNS_NO_NAME, 60, 60000 },
		{ DNS_NXDOMAIN, CLNT_DNS_NO_NAME, 100000, 300000 },
		{ DNS_NOERROR, CLNT_DNS_NO_DATA, 0, 0 },
		{ DNS_SERVFAIL, CLNT_DNS_AGAIN, 60, 0 },
		{ DNS_REFUSED, CLNT_DNS_AGAIN, 60, 0 },
		{ DNS_FORMERR, CLNT_DNS_AGAIN, 60, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char next[DNS_NAME_MAX + 1];
		struct dnsd_result *r =
		        result(cases[i].rcode, NULL, 0, DNS_TXT, cases[i].negative, next);
		assert_int_equal(r->status, cases[i].status);
		assert_int_equal(r->expires_ms - r->made_ms, cases[i].life_ms);
		result_release(r);
	}
}

static void records_are_bounded(UNUSED void **state)
{
	struct dnsd_result *r = result_new(CLNT_DNS_ANSWER, DNS_TXT);
	for (int i = 0; i < DNSD_RECORDS_MAX; i++)
		assert_int_equal(result_add(r, 1, 0, SV("x")), 0);
	assert_int_equal(result_add(r, 1, 0, SV("x")), -1);
	result_release(r);
	r = result_new(CLNT_DNS_ANSWER, DNS_MX); /* K05: what is left out is what is preferred the least */
	for (unsigned i = 0; i < DNSD_RECORDS_MAX; i++)
		assert_int_equal(result_add(r, 1, 10 + i, SV("x")), 0);
	assert_int_equal(result_add(r, 1, 5, SV("best")), 0);
	assert_int_equal(r->n, DNSD_RECORDS_MAX);
	t_assert_sv(r->records[0].data, "best");
	assert_int_equal(r->records[r->n - 1].preference, 10 + DNSD_RECORDS_MAX - 2);
	result_release(r);
}

static void certificates_are_given_as_they_were(UNUSED void **state)
{
	char next[DNS_NAME_MAX + 1];
	struct dns_rr tlsa = rr(DNS_TLSA, "a.test", 60);
	tlsa.usage = 3;
	tlsa.selector = 1;
	tlsa.mtype = 1;
	tlsa.data = SV("\253\315");
	struct dnsd_result *r = result(DNS_NOERROR, &tlsa, 1, DNS_TLSA, 0, next);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->records[0].data.len, 5);
	assert_memory_equal(r->records[0].data.p, "\3\1\1\253\315", 5);
	assert_false(r->authenticated);
	result_release(r);
	struct dns_answer a = {
		.ad = true, .canonical = SV("a.test"), .rcode = DNS_NXDOMAIN, .negative_ttl = 9
	};
	r = result_from_answer(SV("a.test"), DNS_TLSA, &a, &bounds, 0, next);
	assert_int_equal(r->status, CLNT_DNS_NO_NAME);
	assert_true(r->authenticated); /* signed absence is what lets DANE pass on */
	result_release(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_aliases),
		cmocka_unit_test(an_alias_out_of_the_message_is_asked_for),
		cmocka_unit_test(mail_exchangers_sorted_and_checked),
		cmocka_unit_test(codes_mean_different_things),
		cmocka_unit_test(records_are_bounded),
		cmocka_unit_test(certificates_are_given_as_they_were),
	};
	return cmocka_run_group_tests_name("dnsd_result", tests, NULL, NULL);
}
