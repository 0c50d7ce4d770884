/* Unit test of virtual/virtual_lookup.c: in which order keys are looked up, what values mean, which are refused. */
#include <unistd.h>

#include "tests/support/t.h"
#include "virtual/virtual.h"

static const struct {
	const char *table, *delimiter, *address;
	int rc;
	const char *path; /* of the mailbox, or in the error */
	bool maildir;
} finds[] = {
	{ "inline:{ {a@x.test = x/a/} }", "+", "a@x.test", 1, "/base/x/a", true },
	{ "inline:{ {a@x.test = x/a} }", "+", "A@X.test", 1, "/base/x/a", false },
	{ "inline:{ {a@x.test = x/a/} }", "+", "b@x.test", 0, NULL, false },
	/* full address, then without extension, then @domain */
	{ "inline:{ {a@x.test = 2/}, {a+b@x.test = 1/}, {@x.test = 3/} }", "+", "a+b@x.test", 1, "/base/1", true },
	{ "inline:{ {a@x.test = 2/}, {@x.test = 3/} }", "+", "a+b@x.test", 1, "/base/2", true },
	{ "inline:{ {a@x.test = 2/}, {@x.test = 3/} }", "", "a+b@x.test", 1, "/base/3", true },
	{ "inline:{ {@x.test = 3/} }", "+", "a+b@x.test", 1, "/base/3", true },
	/* neither the local part alone nor the domain without '@' is a key */
	{ "inline:{ {a = 1/}, {x.test = 2/} }", "+", "a@x.test", 0, NULL, false },
	{ "inline:{ {a@x.test = 1/} }", "+", "owner-a@x.test", 0, NULL, false },
	{ "inline:{ {a@x.test = /abs/a//} }", "+", "a@x.test", 1, "/base//abs/a", true },
	{ "inline:{ {a@x.test = ../etc} }", "+", "a@x.test", -1, "has \"..\" in it", false },
	{ "inline:{ {a@x.test = x/../../y/} }", "+", "a@x.test", -1, "has \"..\" in it", false },
	{ "inline:{ {a@x.test = x/..y/} }", "+", "a@x.test", 1, "/base/x/..y", true },
	{ "fail:here", "+", "a@x.test", -1, "", false },
	{ "", "+", "a@x.test", 0, NULL, false },
};

static void make(struct virtual *v, const char *boxes, const char *uids, const char *gids)
{
	struct err e = ERR_INIT;
	*v = (struct virtual){ .core = { .owner_request_special = true, .recipient_delimiter = "+" },
		.params = { .virtual_mailbox_base = "/base", .virtual_minimum_uid = 100 } };
	v->mailboxes = maps_open("virtual_mailbox_maps", boxes, &v->env, MAP_NO_SUBST, &e);
	v->uids = maps_open("virtual_uid_maps", uids, &v->env, MAP_NO_SUBST, &e);
	v->gids = maps_open("virtual_gid_maps", gids, &v->env, MAP_NO_SUBST, &e);
	assert_true(v->mailboxes && v->uids && v->gids);
}

static void unmake(struct virtual *v)
{
	maps_free(v->mailboxes);
	maps_free(v->uids);
	maps_free(v->gids);
}

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		struct virtual v;
		struct virtual_box box = { 0 };
		struct arena a;
		struct err e = ERR_INIT;
		make(&v, finds[i].table, "", "");
		v.core.recipient_delimiter = finds[i].delimiter;
		arena_init(&a, 1 << 16);
		int rc = virtual_find(&v, sv_z(finds[i].address), &a, &box, &e);
		if (rc != finds[i].rc)
			fail_msg("case %zu: %d, %s", i, rc, e.text);
		if (rc == 1) {
			assert_string_equal(box.path, finds[i].path);
			assert_int_equal(box.maildir, finds[i].maildir);
		} else if (rc < 0) {
			assert_non_null(strstr(e.text, finds[i].path));
		}
		arena_free(&a);
		unmake(&v);
	}
}

static void test_id(void **state)
{
	static const struct {
		const char *value;
		uint32_t least;
		const char *text; /* NULL: fine */
	} ids[] = {
		{ "100", 100, NULL },
		{ " 5000 ", 100, NULL },
		{ "99", 100, "gives 99, the least one allowed is 100" },
		{ "0", 1, "gives 0" },
		{ "-5", 100, "no id" },
		{ "vmail", 100, "no id" },
		{ "", 100, "no id" },
		{ "99999999999", 100, "no id" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct err e = ERR_INIT;
		uint32_t id = 0;
		int rc = virtual_id("virtual_uid_maps", sv_z(ids[i].value), ids[i].least, &id, &e);
		assert_int_equal(rc, ids[i].text ? -1 : 0);
		if (ids[i].text)
			assert_non_null(strstr(e.text, ids[i].text));
	}
}

/* A private instance writes as its owner only. */
static void test_ids(void **state)
{
	struct {
		uint32_t uid, gid;
		const char *text;
	} cases[] = {
		{ getuid(), getgid(), NULL },
		{ getuid() + 1, getgid(), "this instance serves" },
		{ getuid(), getgid() + 1, "virtual_gid_maps" },
	};
	char uids[64], gids[64];
	struct virtual v;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		snprintf(uids, sizeof(uids), "static:%u", cases[i].uid);
		snprintf(gids, sizeof(gids), "static:%u", cases[i].gid);
		make(&v, "", uids, gids);
		v.params.virtual_minimum_uid = 0;
		if (getgid() == 0)
			maps_free(v.gids), v.gids = maps_open("virtual_gid_maps", "", &v.env, 0, &e);
		int rc = virtual_check_ids(&v, SV("a@x.test"), &e);
		if (getgid() != 0 || i != 2)
			assert_int_equal(rc, cases[i].text ? -1 : 0);
		if (rc < 0)
			assert_non_null(strstr(e.text, cases[i].text));
		unmake(&v);
	}
	struct err e = ERR_INIT;
	make(&v, "", "", "");
	assert_int_equal(virtual_check_ids(&v, SV("a@x.test"), &e), 0);
	unmake(&v);
	make(&v, "", "inline:{ {b@x.test = 1000} }", "");
	assert_int_equal(virtual_check_ids(&v, SV("a@x.test"), &e), -1);
	assert_non_null(strstr(e.text, "a@x.test is not in virtual_uid_maps"));
	unmake(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
