/* Unit test of smtp/smtpc_dest.c: what next hops mean. */
#include "tests/support/t.h"

#include "smtp/smtpc_dest.h"

#define PORTS "lmtp=24, smtp=25, smtps=submissions=465, submission=587"

static const struct {
	const char *text;
	bool lmtp;
	int rc;
	enum smtpc_dest_kind kind;
	const char *name;
	unsigned port;
} cases[] = {
	{ "example.org", false, 1, SMTPC_DEST_DOMAIN, "example.org", 25 },
	{ "example.org:587", false, 1, SMTPC_DEST_DOMAIN, "example.org", 587 },
	{ "example.org:submission", false, 1, SMTPC_DEST_DOMAIN, "example.org", 587 },
	{ "example.org:SMTPS", false, 1, SMTPC_DEST_DOMAIN, "example.org", 465 },
	{ "[mx.example.org]", false, 1, SMTPC_DEST_HOST, "mx.example.org", 25 },
	{ "[mx.example.org]:2525", false, 1, SMTPC_DEST_HOST, "mx.example.org", 2525 },
	{ "[192.0.2.1]", false, 1, SMTPC_DEST_ADDRESS, "192.0.2.1", 25 },
	{ "[192.0.2.1]:26", false, 1, SMTPC_DEST_ADDRESS, "192.0.2.1", 26 },
	{ "192.0.2.1", false, 1, SMTPC_DEST_ADDRESS, "192.0.2.1", 25 },
	{ "[IPv6:2001:db8::1]", false, 1, SMTPC_DEST_ADDRESS, "2001:db8::1", 25 },
	{ "[ipv6:::1]:24", false, 1, SMTPC_DEST_ADDRESS, "::1", 24 },
	{ "[::1]:24", false, 1, SMTPC_DEST_ADDRESS, "::1", 24 },
	{ "inet:mx.example.org:24", false, 1, SMTPC_DEST_DOMAIN, "mx.example.org", 24 },
	{ "inet:mx.example.org:24", true, 1, SMTPC_DEST_HOST, "mx.example.org", 24 },
	{ "mx.example.org", true, 1, SMTPC_DEST_HOST, "mx.example.org", 25 },
	{ "unix:/run/lmtp", true, 1, SMTPC_DEST_UNIX, "/run/lmtp", 0 },
	{ "unix:private/lmtp", true, 1, SMTPC_DEST_UNIX, "private/lmtp", 0 },
	{ "unix:", true, -1, 0, NULL, 0 },
	{ "", false, -1, 0, NULL, 0 },
	{ "[]", false, -1, 0, NULL, 0 },
	{ "[IPv6:]", false, -1, 0, NULL, 0 },
	{ "[mx", false, -1, 0, NULL, 0 },
	{ "[mx]25", false, -1, 0, NULL, 0 },
	{ "[mx]:", false, -1, 0, NULL, 0 },
	{ "mx:", false, -1, 0, NULL, 0 },
	{ ":25", false, -1, 0, NULL, 0 },
	{ "mx:0", false, -1, 0, NULL, 0 },
	{ "mx:65536", false, -1, 0, NULL, 0 },
	{ "mx:-1", false, -1, 0, NULL, 0 },
	{ "mx:nowhere", false, -1, 0, NULL, 0 },
	{ "::1", false, -1, 0, NULL, 0 },
};

static void parses_next_hops(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtpc_ports ports = { .names = PORTS, .standard = "smtp", .lmtp = cases[i].lmtp };
		struct smtpc_dest d;
		struct err e = ERR_INIT;
		t_case(cases[i].text);
		assert_int_equal(smtpc_dest_parse(sv_z(cases[i].text), &ports, &d, &e), cases[i].rc);
		if (cases[i].rc < 0) {
			assert_int_equal(e.cls, ERR_CONFIG);
			continue;
		}
		assert_int_equal(d.kind, cases[i].kind);
		t_assert_sv(d.name, cases[i].name);
		t_assert_sv(d.text, cases[i].text);
		assert_int_equal(d.port, cases[i].port);
	}
}

static void takes_one_after_another(UNUSED void **state)
{
	struct sv list = SV(" a.test, [b.test]:25\tunix:/c,,"), one;
	static const char *const want[] = { "a.test", "[b.test]:25", "unix:/c" };
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(smtpc_dest_take(&list, &one));
		t_assert_sv(one, want[i]);
	}
	assert_false(smtpc_dest_take(&list, &one));
}

static void knows_ports(UNUSED void **state)
{
	unsigned port;
	assert_int_equal(smtpc_dest_port(SV("submissions"), PORTS, &port), 1);
	assert_int_equal(port, 465);
	assert_int_equal(smtpc_dest_port(SV("smtps"), "", &port), -1);
	assert_int_equal(smtpc_dest_port(SV("x"), "x=", &port), -1);
	assert_int_equal(smtpc_dest_port(SV("x"), "x=70000", &port), -1);
	assert_int_equal(smtpc_dest_port(SV("y"), "x=1, y=2", &port), 1);
	assert_int_equal(port, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_next_hops),
		cmocka_unit_test(takes_one_after_another),
		cmocka_unit_test(knows_ports),
	};
	return cmocka_run_group_tests_name("smtpc_dest", tests, NULL, NULL);
}
