/* Unit test of lib/store/maildir_box.c with maildir_scan.c and uidlist_file.c: UIDs against the disk. */
#include "tests/support/t.h"

#include "tests/unit/store/box_fixture.h"

static void sync_ok(struct maildir_box *b)
{
	struct err e = ERR_INIT;
	int rc = maildir_box_sync(b, &e);
	if (rc != 1)
		print_error("sync: %d %s\n", rc, e.text);
	assert_int_equal(rc, 1);
}

static size_t present(const struct maildir_box *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->n; i++)
		n += b->recs[i].where != BOX_ABSENT;
	return n;
}

static void test_new_mail(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	struct maildir_box *b = fixture_box(&f, true);
	sync_ok(b);
	assert_int_equal(b->n, 0);
	assert_true(b->list.h.uidvalidity > 1000000000u);
	assert_int_equal(b->list.h.nextuid, 1);
	/* arrival order is that of the seconds, not of the directory */
	fixture_put(&f, "new/10.b.h", "x\n");
	fixture_put(&f, "new/9.z.h", "x\n");
	fixture_put(&f, "cur/8.c.h:2,S", "x\n");
	fixture_put(&f, "new/.hidden", "x\n");
	b->dirty = true;
	sync_ok(b);
	assert_int_equal(b->n, 3);
	assert_string_equal(b->recs[0].base, "8.c.h");
	assert_string_equal(b->recs[1].base, "9.z.h");
	assert_string_equal(b->recs[2].base, "10.b.h");
	assert_int_equal(b->recs[2].uid, 3);
	assert_int_equal(b->recs[0].flags, STORE_SEEN);
	assert_false(b->recs[0].recent);
	assert_true(b->recs[1].recent);
	assert_true(fixture_has(&f, "cur/9.z.h:2,"));
	assert_int_equal(fixture_count(&f, "new"), 0);
	char *list = fixture_get(&f, "dovecot-uidlist");
	assert_non_null(strstr(list, "\n1 :8.c.h\n2 :9.z.h\n3 :10.b.h\n"));
	free(list);
	assert_false(fixture_has(&f, "dovecot-uidlist.lock"));
	/* a reader that changes nothing sees the same, and new mail stays in new/ */
	fixture_put(&f, "new/11.d.h", "x\n");
	struct maildir_box *r = fixture_box(&f, false);
	sync_ok(r);
	assert_int_equal(present(r), 4);
	assert_int_equal(r->recs[3].where, BOX_NEW);
	assert_int_equal(r->list.h.uidvalidity, b->list.h.uidvalidity);
	assert_int_equal(fixture_count(&f, "new"), 1);
	b->dirty = true;
	sync_ok(b); /* learns UID 4 from the tail */
	assert_int_equal(b->recs[3].uid, 4);
	assert_int_equal(fixture_count(&f, "new"), 0);
	maildir_box_free(r);
	maildir_box_free(b);
	fixture_free(&f);
}

static void test_vanish_and_flags(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	fixture_put(&f, "cur/1.a.h:2,", "x\n");
	fixture_put(&f, "cur/2.b.h:2,", "x\n");
	struct maildir_box *b = fixture_box(&f, true);
	sync_ok(b);
	fixture_move(&f, "cur/1.a.h:2,", "cur/1.a.h:2,FSb");
	fixture_remove(&f, "cur/2.b.h:2,");
	b->dirty = true;
	sync_ok(b);
	assert_int_equal(b->recs[0].flags, STORE_FLAGGED | STORE_SEEN);
	assert_int_equal(b->recs[0].keywords, 2);
	assert_int_equal(b->recs[1].where, BOX_ABSENT);
	/* the UID of the vanished mail is never given away again, also not by a new process */
	fixture_put(&f, "new/3.c.h", "x\n");
	struct maildir_box *c = fixture_box(&f, true);
	sync_ok(c);
	assert_int_equal(maildir_box_by_base(c, SV("3.c.h"))->uid, 3);
	maildir_box_free(c);
	maildir_box_free(b);
	fixture_free(&f);
}

/* The uidlist cut at each octet: no crash, UIDs stable or UIDVALIDITY new, none given twice. */
static void test_truncated(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	for (int i = 1; i <= 4; i++) {
		char name[40];
		(void)snprintf(name, sizeof(name), "cur/%d.m.h:2,S", i);
		fixture_put(&f, name, "x\n");
	}
	struct maildir_box *b = fixture_box(&f, true);
	sync_ok(b);
	uint32_t validity = b->list.h.uidvalidity;
	maildir_box_free(b);
	char *whole = fixture_get(&f, "dovecot-uidlist");
	size_t len = strlen(whole);
	for (size_t cut = 0; cut <= len; cut++) {
		char *part = mem_svdup(sv_n(whole, cut));
		fixture_put(&f, "dovecot-uidlist", part);
		free(part);
		b = fixture_box(&f, true);
		sync_ok(b);
		assert_int_equal(present(b), 4);
		if (b->list.h.uidvalidity == validity)
			for (size_t i = 0; i < b->n; i++) {
				/* a UID names the mail that it named before, or it is above all of them */
				char base[40];
				(void)snprintf(base, sizeof(base), "%u.m.h", b->recs[i].uid);
				if (b->recs[i].uid <= 4 && cut >= len - 1)
					assert_string_equal(b->recs[i].base, base);
			}
		else
			assert_true(b->list.h.uidvalidity > validity);
		maildir_box_free(b);
	}
	free(whole);
	fixture_free(&f);
}

static const struct {
	const char *name, *list;
	bool new_validity;
	uint32_t next_at_least;
} broken[] = {
	{ "empty", "", true, 1 },
	{ "zeros", "3 V0 N0 G0\n", true, 1 },
	{ "future version", "9 V7 N7\n", true, 1 },
	{ "text", "hello\n", true, 1 },
	{ "not ascending", "3 V7 N10 G3085f01b7f11094c501100008c4a11c1\n5 :1.a.h\n4 :2.b.h\n",
	        false, 10 },
	{ "broken line",
	        "3 V7 N3 G3085f01b7f11094c501100008c4a11c1\n1 :1.a.h\nxxxxxxxxxxxxxxxxxxxxxxx\n",
	        false, 7 },
	{ "path in a name", "3 V7 N3 G3085f01b7f11094c501100008c4a11c1\n1 :../x\n", false, 4 },
	{ "low N", "3 V7 N1 G3085f01b7f11094c501100008c4a11c1\n70 :1.a.h\n", false, 71 },
	{ "no guid", "3 V7 N5\n1 :1.a.h\n", false, 5 },
	{ "version 1", "1 7 5\n1 1.a.h:2,\n2 2.b.h\n", false, 5 },
	{ "UIDs used up", "3 V7 N4294967294 G3085f01b7f11094c501100008c4a11c1\n", true, 3 },
	{ "same name twice", "3 V7 N5 G3085f01b7f11094c501100008c4a11c1\n1 :1.a.h\n2 :1.a.h\n",
	        false, 5 },
};

static void test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct fixture f;
		fixture_make(&f);
		t_case(broken[i].name);
		fixture_put(&f, "dovecot-uidlist", broken[i].list);
		fixture_put(&f, "cur/1.a.h:2,", "x\n");
		fixture_put(&f, "cur/2.b.h:2,", "x\n");
		struct maildir_box *b = fixture_box(&f, true);
		sync_ok(b);
		assert_int_equal(present(b), 2);
		assert_int_equal(b->list.h.uidvalidity != 7, broken[i].new_validity);
		assert_true(b->list.h.nextuid >= broken[i].next_at_least);
		/* what was written reads back the same */
		struct maildir_box *c = fixture_box(&f, true);
		sync_ok(c);
		assert_int_equal(c->list.h.uidvalidity, b->list.h.uidvalidity);
		assert_int_equal(c->list.h.nextuid, b->list.h.nextuid);
		assert_int_equal(present(c), 2);
		assert_int_equal(maildir_box_by_base(c, SV("1.a.h"))->uid,
		        maildir_box_by_base(b, SV("1.a.h"))->uid);
		maildir_box_free(c);
		maildir_box_free(b);
		fixture_free(&f);
	}
}

/* Two boxes on the same folder: one rewrites or loses the list under the other. */
static void test_two(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	fixture_put(&f, "cur/1.a.h:2,", "x\n");
	struct maildir_box *a = fixture_box(&f, true), *b = fixture_box(&f, true);
	sync_ok(a);
	sync_ok(b);
	uint32_t validity = a->list.h.uidvalidity;
	fixture_put(&f, "new/2.b.h", "x\n");
	a->list.rewrite = true;
	a->dirty = b->dirty = true;
	sync_ok(a);
	sync_ok(b);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->recs[1].uid, 2);
	assert_false(b->lost);
	fixture_remove(&f, "dovecot-uidlist");
	a->dirty = true;
	sync_ok(a);
	assert_true(a->lost);
	assert_true(a->list.h.uidvalidity > validity);
	b->dirty = true;
	sync_ok(b);
	assert_true(b->lost);
	assert_int_equal(a->list.h.uidvalidity, b->list.h.uidvalidity);
	maildir_box_free(a);
	maildir_box_free(b);
	fixture_free(&f);
}

static void test_no_folder(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	struct maildir_box_def def = { .root_path = f.root, .uid = (uid_t)-1, .host = "h" };
	struct folder_dir folder = { ".none" };
	struct maildir_box *b = maildir_box_new(&def, &folder);
	assert_int_equal(maildir_box_sync(b, NULL), 0);
	maildir_box_free(b);
	/* a symbolic link is no folder */
	char link[600];
	fixture_path(&f, ".link", link);
	assert_int_equal(symlink("/tmp", link), 0);
	(void)snprintf(folder.z, sizeof(folder.z), ".link");
	b = maildir_box_new(&def, &folder);
	assert_int_equal(maildir_box_sync(b, NULL), 0);
	maildir_box_free(b);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_new_mail),
		cmocka_unit_test(test_vanish_and_flags), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_two),
		cmocka_unit_test(test_no_folder) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
