/* Unit test of dnsd/dnsd_hosts.c: what the hosts file answers before DNS is asked. */
#include "tests/support/t.h"

#include "dnsd/dnsd.h"

static const char text[] = "# comment\n"
                           "127.0.0.1 localhost\n"
                           "192.0.2.1\tMail.Example.Test mail # the relay\n"
                           "192.0.2.2 mail.example.test\n"
                           "2001:DB8::1 six.example.test six.\n"
                           "not-an-address name.example.test\n"
                           "192.0.2.3\n"
                           "192.0.2.9 last.example.test";

static const struct {
	const char *name;
	uint16_t type;
	int status; /* -1: DNS is asked */
	const char *data[3];
} cases[] = {
	{ "mail.example.test", CLNT_DNS_A, CLNT_DNS_ANSWER, { "192.0.2.1", "192.0.2.2" } },
	{ "mail", CLNT_DNS_A, CLNT_DNS_ANSWER, { "192.0.2.1" } },
	{ "mail.example.test", CLNT_DNS_AAAA, CLNT_DNS_NO_DATA, { NULL } },
	{ "six", CLNT_DNS_AAAA, CLNT_DNS_ANSWER, { "2001:db8::1" } },
	{ "2001:db8::1", CLNT_DNS_PTR, CLNT_DNS_ANSWER, { "six.example.test" } },
	{ "192.0.2.1", CLNT_DNS_PTR, CLNT_DNS_ANSWER, { "mail.example.test" } },
	{ "192.0.2.9", CLNT_DNS_PTR, CLNT_DNS_ANSWER, { "last.example.test" } },
	{ "192.0.2.3", CLNT_DNS_PTR, -1, { NULL } },
	{ "name.example.test", CLNT_DNS_A, -1, { NULL } },
	{ "other.example.test", CLNT_DNS_A, -1, { NULL } },
	{ "mail.example.test", CLNT_DNS_MX, -1, { NULL } },
	{ "localhost", CLNT_DNS_A, CLNT_DNS_ANSWER, { "127.0.0.1" } },
	{ "www.localhost", CLNT_DNS_AAAA, CLNT_DNS_ANSWER, { "::1" } },
	{ "localhost", CLNT_DNS_MX, CLNT_DNS_NO_DATA, { NULL } },
	{ "::1", CLNT_DNS_PTR, CLNT_DNS_ANSWER, { "localhost" } },
};

static void hosts_answer_first(UNUSED void **state)
{
	struct dnsd_hosts h;
	hosts_parse(&h, sv_z(text));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dnsd_result *r = hosts_lookup(&h, sv_z(cases[i].name), cases[i].type);
		t_case(cases[i].name);
		assert_int_equal(r ? (int)r->status : -1, cases[i].status);
		size_t n = 0;
		while (cases[i].data[n])
			n++;
		assert_int_equal(r ? r->n : 0, n);
		for (size_t j = 0; j < n; j++)
			t_assert_sv(r->records[j].data, cases[i].data[j]);
		result_release(r);
	}
	hosts_fini(&h);
}

static void an_empty_file_answers_localhost_only(UNUSED void **state)
{
	struct dnsd_hosts h;
	hosts_parse(&h, SV(""));
	struct dnsd_result *r = hosts_lookup(&h, SV("127.0.0.1"), CLNT_DNS_PTR);
	assert_non_null(r);
	t_assert_sv(r->records[0].data, "localhost");
	result_release(r);
	assert_null(hosts_lookup(&h, SV("example.test"), CLNT_DNS_A));
	hosts_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_answer_first),
		cmocka_unit_test(an_empty_file_answers_localhost_only),
	};
	return cmocka_run_group_tests_name("dnsd_hosts", tests, NULL, NULL);
}
