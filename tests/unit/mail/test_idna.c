/* Unit test of lib/mail/idna.c; row E07 of the attack catalogue. */
#include "lib/mail/idna.h"
#include "tests/support/t.h"

static const struct {
	const char *in, *ascii, *unicode; /* NULL: refused */
} cases[] = {
	{ "Example.COM", "example.com", "example.com" },
	{ "ex\xc3\xa4mple.com", "xn--exmple-cua.com", "ex\xc3\xa4mple.com" },
	{ "xn--exmple-cua.com", "xn--exmple-cua.com", "ex\xc3\xa4mple.com" },
	{ "R3---sn.example", "r3---sn.example", "r3---sn.example" },
	{ "xn--a", NULL, NULL },
	{ "xn--99999999999", NULL, NULL },
	{ "ex\xc3.com", NULL, NULL },
	{ "a\xe2\x80\x8d" "b.com", NULL, NULL },
};

static void converts(UNUSED void **state)
{
	if (!idna_available())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		struct err e = ERR_INIT;
		buf_init(&b, 1000);
		t_case(cases[i].in);
		int rc = idna_to_ascii(&b, sv_z(cases[i].in), &e);
		if (rc != (cases[i].ascii ? 1 : -1))
			fail_msg("[%s]: %d %s [%s]", cases[i].in, rc, e.text, buf_z(&b));
		t_assert_sv(buf_sv(&b), cases[i].ascii ? cases[i].ascii : "");
		buf_reset(&b);
		rc = idna_to_unicode(&b, sv_z(cases[i].in), &e);
		if (rc != (cases[i].unicode ? 1 : -1))
			fail_msg("[%s]: unicode %d %s [%s]", cases[i].in, rc, e.text, buf_z(&b));
		t_assert_sv(buf_sv(&b), cases[i].unicode ? cases[i].unicode : "");
		buf_free(&b);
	}
}

static void refuses_what_is_no_name(UNUSED void **state)
{
	static const char *const bad[] = { "", ".", "a..b", "-a", "a b", "1.2.3.4" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b;
		struct err e = ERR_INIT;
		buf_init(&b, 1000);
		t_case(bad[i]);
		assert_int_equal(idna_to_ascii(&b, sv_z(bad[i]), &e), -1);
		assert_int_equal(e.cls, ERR_PERM);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts),
		cmocka_unit_test(refuses_what_is_no_name),
	};
	return cmocka_run_group_tests_name("idna", tests, NULL, NULL);
}
