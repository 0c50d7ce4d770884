/*
 * Unit test of lib/store: what a failed fsync of a directory left is not taken for durable by the next try.
 * The folder's name says which plan of FAULT concerns it.
 */
#include "tests/support/t.h"

#include "lib/store/maildir_save.h"
#include "tests/unit/store/box_fixture.h"

#ifdef MERPATI_FAULTS

#define FAULT                                   \
	"*:fsync:*/subdirs/Maildir:1:EIO,"      \
	"*:fsync:*/parent:1:EIO,"               \
	"*:fsync:*/folder/Maildir:2:EIO,"       \
	"*:fsync:*/key/Maildir/new:2:EIO,"      \
	"*:fsync:*/list/Maildir:3:EIO"

/* TMP/NAME/Maildir, not there yet. */
static void fixture_named(struct fixture *f, const char *name)
{
	f->tmp = tmpdir_new();
	(void)snprintf(f->root, sizeof(f->root), "%s/%s/Maildir", f->tmp, name);
}

static int make_root(const struct fixture *f, struct err *e)
{
	int fd = -1;
	int rc = maildir_root_open(f->root, (uid_t)-1, true, &fd, e);
	if (rc == 1)
		close(fd);
	return rc;
}

static void a_maildir(UNUSED void **state)
{
	static const char *const names[] = { "subdirs", "parent" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct fixture f;
		struct err e = ERR_INIT;
		t_case(names[i]);
		fixture_named(&f, names[i]);
		assert_int_equal(make_root(&f, &e), -1);
		assert_int_equal(e.cls, ERR_TEMP);
		assert_false(fixture_has(&f, "new"));
		assert_int_equal(fixture_has(&f, ""), i == 0);
		assert_int_equal(make_root(&f, &e), 1);
		assert_true(fixture_has(&f, "new"));
		fixture_free(&f);
	}
}

static void a_folder(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct folder_dir dir = { ".Box" };
	int root;
	fixture_named(&f, "folder");
	assert_int_equal(maildir_root_open(f.root, (uid_t)-1, true, &root, &e), 1);
	assert_int_equal(maildir_dir_create(root, f.root, &dir, &e), -1);
	assert_false(fixture_has(&f, ".Box"));
	assert_int_equal(maildir_dir_create(root, f.root, &dir, &e), 1);
	assert_int_equal(maildir_dir_create(root, f.root, &dir, &e), 0);
	assert_true(fixture_has(&f, ".Box/cur"));
	close(root);
	fixture_free(&f);
}

/* A mail that lies there since somebody was killed: its directory is synced before it counts as delivered. */
static void a_mail_that_is_there(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct store_key key = store_key_make(1, 2, SV("box"));
	struct folder_dir inbox = { "." };
	struct maildir_dir d;
	struct store_delivery dl = { .key = key, .arrival_s = 1700000000, .head = SV("A: b\n\n"), .fd = -1 };
	int root;
	fixture_named(&f, "key");
	assert_int_equal(maildir_root_open(f.root, (uid_t)-1, true, &root, &e), 1);
	assert_int_equal(maildir_dir_open(root, f.root, &inbox, &d, &e), 1);
	assert_int_equal(maildir_deliver(&d, "h", &dl, &e), 1);
	assert_int_equal(maildir_key_find(root, f.root, &key, dl.head.len, &e), -1);
	assert_non_null(strstr(e.text, "/new: "));
	assert_int_equal(maildir_key_find(root, f.root, &key, dl.head.len, &e), 1);
	maildir_dir_close(&d);
	close(root);
	fixture_free(&f);
}

static ino_t inode(const struct fixture *f, const char *rel, nlink_t *links)
{
	char path[600];
	struct stat st;
	fixture_path(f, rel, path);
	assert_int_equal(stat(path, &st), 0);
	*links = st.st_nlink;
	return st.st_ino;
}

/* UIDs of a list whose rename may not last are shown to nobody, whoever reads it next. */
static void a_list_of_uids(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	nlink_t links;
	fixture_named(&f, "list");
	assert_int_equal(make_root(&f, &e), 1);
	fixture_put(&f, "new/1700000000.M1P1.h", "A: b\n\n");
	struct maildir_box *first = fixture_box(&f, true), *second = fixture_box(&f, true);
	assert_int_equal(maildir_box_sync(first, &e), -1);
	ino_t before = inode(&f, "dovecot-uidlist", &links);
	assert_int_equal(links, 2);
	assert_int_equal(maildir_box_sync(second, &e), 1);
	assert_int_not_equal(inode(&f, "dovecot-uidlist", &links), before);
	assert_int_equal(links, 1);
	assert_false(fixture_has(&f, "dovecot-uidlist.unsynced"));
	before = inode(&f, "dovecot-uidlist", &links);
	assert_int_equal(maildir_box_sync(first, &e), 1);
	assert_int_equal(inode(&f, "dovecot-uidlist", &links), before);
	assert_int_equal(first->n, 1);
	assert_int_equal(second->n, 1);
	assert_int_equal(first->recs[0].uid, second->recs[0].uid);
	assert_int_equal(first->list.h.uidvalidity, second->list.h.uidvalidity);
	maildir_box_free(first);
	maildir_box_free(second);
	fixture_free(&f);
}

int main(void)
{
	setenv("MERPATI_FAULT", FAULT, 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_maildir),
		cmocka_unit_test(a_folder),
		cmocka_unit_test(a_mail_that_is_there),
		cmocka_unit_test(a_list_of_uids),
	};
	return cmocka_run_group_tests_name("store_fsync", tests, NULL, NULL);
}

#else
int main(void)
{
	return 0; /* a release build has no faults to plan */
}
#endif
