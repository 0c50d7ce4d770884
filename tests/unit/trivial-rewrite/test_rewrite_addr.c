/* Unit test of trivial-rewrite/rewrite_addr.c: one table of addresses, one check. */
#include "tests/support/t.h"
#include "trivial-rewrite/rewrite_addr.h"

#define ALL                            \
	{                              \
		true, true, true, true \
	}
#define BARE                               \
	{                                  \
		false, false, false, false \
	}

static const struct {
	const char *in, *want;
	struct rewrite_rules rules;
	bool crack;
} cases[] = {
	{ "", "", ALL, false },
	{ "user", "user@origin.example", ALL, false },
	{ "user", "user", BARE, false },
	{ "user@host", "user@host.domain.example", ALL, false },
	{ "user@host", "user@host", BARE, false },
	{ "user@host.", "user@host", ALL, false },
	{ "user@host.example.", "user@host.example", BARE, false },
	{ "user@host..", "user@host..", BARE, false },
	{ "user@.", "user@.", ALL, false },
	{ "user@", "user@", ALL, false },
	{ "@host", "@host", ALL, false },
	{ "user@[127.0.0.1]", "user@[127.0.0.1]", ALL, false },
	{ "user@[IPv6:::1]", "user@[IPv6:::1]", ALL, false },
	/* source routes: RFC 5321 appendix C, the last address counts */
	{ "@a,@b:u@c.example", "u@c.example", ALL, false },
	{ "@[IPv6:::1]:u@c.example", "u@c.example", ALL, false },
	{ "@a:@b:u@c.example", "u@c.example", ALL, false },
	{ "@a:", "@a:", ALL, false },
	{ "@a,@b:u", "u@origin.example", ALL, false },
	/* UUCP and percent forms */
	{ "site!user", "user@site.domain.example", ALL, false },
	{ "a.example!b!c", "b!c@a.example", ALL, false },
	{ "!", "@", ALL, false },
	{ "!u", "u@", ALL, false },
	{ "a.example!", "@a.example", ALL, false },
	{ "u%a%b.example", "u%a@b.example", ALL, false },
	{ "x.example!u%y.example", "u%y.example@x.example", ALL, false },
	{ "u%h.example@d.example", "u%h.example@d.example", ALL, false },
	{ "site!user", "site!user@origin.example", { true, true, false, true }, false },
	{ "u%h", "u%h@origin.example", { true, true, true, false }, false },
	/* a local part that needs quotes is one word, unless the resolver cracks it */
	{ "a b%c.example", "a b%c.example@origin.example", ALL, false },
	{ "a b%c.example", "a b@c.example", ALL, true },
	{ "c.example!a b", "a b@c.example", ALL, true },
};

static void table(void **state)
{
	(void)state;
	const struct rewrite_context ctx = { SV_INIT("origin.example"), SV_INIT("domain.example") };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 4096);
		t_case(cases[i].in);
		assert_int_equal(rewrite_addr(&cases[i].rules, &ctx, sv_z(cases[i].in),
		                         cases[i].crack, &out),
		        0);
		t_assert_sv(buf_sv(&out), cases[i].want);
		buf_free(&out);
	}
}

static void remote_context_without_domain(void **state)
{
	(void)state;
	const struct rewrite_rules r = ALL;
	const struct rewrite_context ctx = { SV_INIT(""), SV_INIT("") };
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(rewrite_addr(&r, &ctx, SV("user"), false, &out), 0);
	t_assert_sv(buf_sv(&out), "user");
	buf_reset(&out);
	assert_int_equal(rewrite_addr(&r, &ctx, SV("user@host"), false, &out), 0);
	t_assert_sv(buf_sv(&out), "user@host");
	buf_free(&out);
}

static void too_long(void **state)
{
	(void)state;
	const struct rewrite_rules r = ALL;
	const struct rewrite_context ctx = { SV_INIT("origin.example"), SV_INIT("domain.example") };
	struct buf out;
	buf_init(&out, 10);
	assert_int_equal(rewrite_addr(&r, &ctx, SV("user"), false, &out), -1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(remote_context_without_domain),
		cmocka_unit_test(too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
