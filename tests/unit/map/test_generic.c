/* Unit test of lib/map/generic.c: addresses and headers on their way out. */
#include "tests/support/t.h"

#include "lib/map/generic.h"

static const char table[] = "inline:{anna@here.test=anna@world.test, {bob = Bob <robert@world.test>}, "
			    "carl@in.here.test=carla, @dept.here.test=@world.test, @empty.test=(nobody), "
			    "{d@here.test = two@world.test, three@world.test}}";

static const struct {
	const char *addr, *want; /* NULL: an error */
	int rc;
} cases[] = {
	{ "anna@here.test", "anna@world.test", 1 },
	{ "Anna@HERE.test", "anna@world.test", 1 },
	{ "anna+x@here.test", "anna+x@world.test", 1 },
	{ "bob@here.test", "robert@world.test", 1 },
	{ "bob@mail.here.test", "robert@world.test", 1 }, /* mydestination */
	{ "bob@elsewhere.test", "bob@elsewhere.test", 0 },
	{ "bob", "robert@world.test", 1 },
	{ "carl@in.here.test", "carla@here.test", 1 }, /* myorigin completes it */
	{ "x y@dept.here.test", "x y@world.test", 1 },
	{ "d@here.test", "two@world.test", 1 },
	{ "x@empty.test", NULL, -1 },
	{ "", "", 0 },
};

static void open_generic(struct generic *g, const char *list, struct params_core *core)
{
	struct err e = ERR_INIT;
	*core = (struct params_core){ .propagate_unmatched_extensions = "canonical, generic",
		.parent_domain_matches_subdomains = "", .mydestination = "mail.here.test, here.test",
		.recipient_delimiter = "+", .myorigin = "here.test" };
	if (generic_open(g, "smtp_generic_maps", list, core, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

static void addresses(UNUSED void **state)
{
	struct params_core core;
	struct generic g;
	open_generic(&g, table, &core);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct err e = ERR_INIT;
		struct sv addr = sv_z(cases[i].addr);
		arena_init(&a, 1 << 20);
		t_case(cases[i].addr);
		assert_int_equal(generic_addr(&g, &addr, &a, &e), cases[i].rc);
		if (cases[i].want)
			t_assert_sv(addr, cases[i].want);
		arena_free(&a);
	}
	core.propagate_unmatched_extensions = "canonical";
	generic_close(&g);
}

static void headers(UNUSED void **state)
{
	struct params_core core;
	struct generic g;
	struct buf out;
	struct err e = ERR_INIT;
	open_generic(&g, table, &core);
	buf_init(&out, 1 << 20);
	struct sv head = SV("From: Anna <anna@here.test>\nTo: bob@here.test,\n other@far.test\n"
			    "Subject: anna@here.test\n");
	assert_int_equal(generic_head(&g, head, &out, &e), 0);
	t_assert_sv(buf_sv(&out), "From: Anna <anna@world.test>\nTo: robert@world.test,\n other@far.test\n"
				  "Subject: anna@here.test\n");
	generic_close(&g);
	buf_reset(&out);
	/* a table that fails: nothing leaves */
	open_generic(&g, "hash:/nonexistent/generic", &core);
	assert_false(generic_empty(&g));
	assert_int_equal(generic_head(&g, head, &out, &e), -1);
	generic_close(&g);
	buf_free(&out);
}

static void without_tables_nothing_changes(UNUSED void **state)
{
	struct params_core core;
	struct generic g;
	struct err e = ERR_INIT;
	struct sv addr = SV("anna@here.test");
	open_generic(&g, "", &core);
	assert_true(generic_empty(&g));
	assert_int_equal(generic_addr(&g, &addr, NULL, &e), 0);
	generic_close(&g);
	assert_int_equal(generic_open(&g, "smtp_generic_maps", "inline:{a=b", &core, NULL, &e), -1);
	generic_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(headers),
		cmocka_unit_test(without_tables_nothing_changes),
	};
	return cmocka_run_group_tests_name("generic", tests, NULL, NULL);
}
