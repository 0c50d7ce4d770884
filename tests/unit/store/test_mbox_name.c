/* Unit test of lib/store/mbox_name.c: mailbox names as files, and back; none leads elsewhere. */
#include "tests/support/t.h"

#include "lib/store/mbox_name.h"

static const struct {
	const char *name, *rel; /* REL NULL: refused */
} cases[] = {
	{ "a", "a" },
	{ "a.b.c", "a/b/c" },
	{ "old&ICQ-mbox", "old.mbox" },
	{ "&AOQ-rger", "&AOQ-rger" },
	{ "&ICQ-hidden", NULL },
	{ "a.&ICQ-.b", NULL },
	{ "a.&ICQ-&ICQ-.b", NULL },
	{ "a&ICQ-lock", NULL },
	{ "a&ICQ-append", NULL },
	{ "a/b", NULL },
	{ "..", NULL },
	{ "", NULL },
};

static void names(UNUSED void **state)
{
	struct buf back;
	buf_init(&back, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mbox_rel rel;
		struct err e = ERR_INIT;
		t_case(cases[i].name);
		assert_int_equal(mbox_name_rel(sv_z(cases[i].name), &rel, &e), cases[i].rel ? 1 : -1);
		if (!cases[i].rel) {
			assert_int_equal(e.cls, ERR_PERM);
			continue;
		}
		assert_string_equal(rel.z, cases[i].rel);
		if (!strchr(rel.z, '/')) {
			assert_int_equal(mbox_name_of(SV_NONE, sv_z(rel.z), &back), 1);
			assert_string_equal(buf_z(&back), cases[i].name);
		}
	}
	assert_int_equal(mbox_name_of(SV("a.b"), SV("c.d"), &back), 1);
	assert_string_equal(buf_z(&back), "a.b.c&ICQ-d");
	static const char *const files[] = { ".subscriptions", "x.lock", "inbox", "a&ICQ-b", "\xc3\xa4", "a*" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(mbox_name_of(SV_NONE, sv_z(files[i]), &back), 0);
	buf_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names) };
	return cmocka_run_group_tests_name("mbox_name", tests, NULL, NULL);
}
