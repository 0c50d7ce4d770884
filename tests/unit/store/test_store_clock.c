/*
 * Unit test of lib/store: the wall clock is set back, or is nonsense. UIDs and UIDVALIDITY ascend, names are
 * unique, nobody waits for the time when the clock will have caught up.
 */
#include "tests/support/t.h"

#include "lib/base/hash.h"
#include "lib/store/dotlock.h"
#include "lib/store/maildir_save.h"
#include "lib/sys/clock.h"
#include "tests/unit/store/box_fixture.h"

#ifdef MERPATI_FAULTS

#define DAY   86400
#define SCALE "100" /* two minutes in little more than a second */

static void uidvalidity_ascends(UNUSED void **state)
{
	static const int64_t shifts[] = { 0, 0, -DAY, -400 * DAY, -100LL * 365 * DAY, 200LL * 365 * DAY, DAY, 0 };
	struct fixture f;
	struct err e = ERR_INIT;
	fixture_make(&f);
	int root = open(f.root, O_RDONLY | O_DIRECTORY);
	uint32_t last = 0, got;
	for (size_t i = 0; i < ARRAY_LEN(shifts); i++) {
		clock_wall_shift(shifts[i]);
		assert_int_equal(maildir_uidvalidity_next(root, f.root, &got, &e), 0);
		assert_true(got > last);
		last = got;
	}
	close(root);
	fixture_free(&f);
	/* a machine whose clock starts in 1901, and has no list yet */
	fixture_make(&f);
	root = open(f.root, O_RDONLY | O_DIRECTORY);
	clock_wall_shift(-125LL * 365 * DAY);
	assert_int_equal(maildir_uidvalidity_next(root, f.root, &got, &e), 0);
	assert_int_equal(got, 1);
	close(root);
	fixture_free(&f);
}

/* Deliveries of a day ago by their names come after those of today, as their UIDs do. */
static void uids_ascend(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	char name[MAILDIR_NAME_MAX + 1], path[MAILDIR_NAME_MAX + 10];
	fixture_make(&f);
	struct maildir_box *b = fixture_box(&f, true);
	uint32_t validity = 0, last = 0;
	for (int i = 0; i < 10; i++) {
		clock_wall_shift(-i * DAY);
		maildir_unique_base("h", 4, 5, name);
		(void)snprintf(path, sizeof(path), "new/%s", name);
		fixture_put(&f, path, "A: b\n");
		assert_int_equal(maildir_box_sync(b, &e), 1);
		assert_int_equal(b->n, i + 1);
		assert_true(b->recs[b->n - 1].uid > last);
		assert_true(i == 0 || b->list.h.uidvalidity == validity);
		validity = b->list.h.uidvalidity;
		last = b->recs[b->n - 1].uid;
		/* who reads the list for the first time sees the same */
		struct maildir_box *other = fixture_box(&f, true);
		assert_int_equal(maildir_box_sync(other, &e), 1);
		assert_int_equal(other->recs[other->n - 1].uid, last);
		assert_int_equal(other->list.h.uidvalidity, validity);
		maildir_box_free(other);
	}
	maildir_box_free(b);
	fixture_free(&f);
}

static void names_are_unique(UNUSED void **state)
{
	struct htab names;
	char name[MAILDIR_NAME_MAX + 1];
	htab_init(&names, (struct hash_seed){ 1, 2 });
	int64_t wall = clock_wall_s();
	for (int i = 0; i < 20000; i++) {
		clock_wall_shift(wall - clock_wall_s()); /* the same second again and again */
		maildir_unique_base("h", 1, 1, name);
		assert_null(htab_set(&names, sv_z(name), name));
	}
	htab_free(&names);
}

static void put_lock(const struct fixture *f, const char *text, int64_t ahead)
{
	char path[600];
	struct timespec t[2] = { { .tv_sec = time(NULL) + ahead }, { .tv_sec = time(NULL) + ahead } };
	fixture_put(f, "lock", text);
	fixture_path(f, "lock", path);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* Nobody touched it for as long as we looked on, whatever its times say. */
static void locks_of_the_future_get_old(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct dotlock l;
	fixture_make(&f);
	clock_wall_shift(0);
	int dir = open(f.root, O_RDONLY | O_DIRECTORY);
	put_lock(&f, "", 400 * DAY);
	assert_int_equal(dotlock_take(&l, dir, f.root, "lock", 1000, &e), -1);
	assert_int_equal(dotlock_take(&l, dir, f.root, "lock", 30000, &e), 0);
	dotlock_drop(&l);
	put_lock(&f, "1:far.example", 400 * DAY);
	assert_int_equal(dotlock_take(&l, dir, f.root, "lock", 60000, &e), -1);
	assert_int_equal(dotlock_take(&l, dir, f.root, "lock", (DOTLOCK_STALE_S + 100) * 1000, &e), 0);
	dotlock_drop(&l);
	close(dir);
	fixture_free(&f);
}

/* A directory whose time is of the future is not read again at each look. */
static void directories_of_the_future_settle(UNUSED void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct maildir_dir d;
	int root;
	fixture_make(&f);
	clock_wall_shift(-DAY);
	struct maildir_box *b = fixture_box(&f, true);
	fixture_put(&f, "new/1700000000.M1P1.h", "A: b\n");
	assert_int_equal(maildir_box_sync(b, &e), 1);
	assert_int_equal(maildir_box_sync(b, &e), 1);
	assert_int_equal(maildir_box_dirs(b, &root, &d, &e), 1);
	assert_false(maildir_scan_needed(b, &d));
	fixture_put(&f, "new/1700000001.M1P1.h", "A: b\n");
	assert_true(maildir_scan_needed(b, &d));
	assert_int_equal(maildir_box_sync(b, &e), 1);
	assert_int_equal(b->n, 2);
	maildir_dir_close(&d);
	close(root);
	maildir_box_free(b);
	fixture_free(&f);
}

int main(void)
{
	setenv("MERPATI_CLOCK_SCALE", SCALE, 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uidvalidity_ascends),
		cmocka_unit_test(uids_ascend),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(locks_of_the_future_get_old),
		cmocka_unit_test(directories_of_the_future_settle),
	};
	return cmocka_run_group_tests_name("store_clock", tests, NULL, NULL);
}

#else
int main(void)
{
	return 0; /* a release build has no clock to set */
}
#endif
