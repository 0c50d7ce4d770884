/* Unit test of lib/queue/queue_dir.c. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/queue/queue_dir.h"

static size_t count_files(struct queue *q, enum queue_name n)
{
	struct queue_scan s;
	struct err e = ERR_INIT;
	char id[QUEUE_ID_MAX + 1];
	size_t count = 0;
	queue_scan_start(&s, q, n);
	while (queue_scan_next(&s, id, &e) == 1)
		count++;
	queue_scan_end(&s);
	return count;
}

static void touch(const char *dir, const char *path)
{
	char full[4096];
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	int fd = open(full, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void moves_finds_and_removes(UNUSED void **state)
{
	static const char id[] = "4Pt2mN2VXxznjllB";
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX];
	struct queue q;
	struct err e = ERR_INIT;
	enum queue_name where;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0); /* again: nothing to do */
	assert_int_equal(queue_find(&q, sv_z(id), &where, &e), 0);
	assert_int_equal(queue_path(QUEUE_DIR_INCOMING, sv_z(id), path), 0);
	touch(dir, path);
	assert_int_equal(queue_find(&q, sv_z(id), &where, &e), 1);
	assert_int_equal(where, QUEUE_DIR_INCOMING);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), 1);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), -1);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_DEFERRED, sv_z(id), &e), 0);
	touch(dir, path);
	assert_int_equal(queue_move(&q, QUEUE_DIR_INCOMING, QUEUE_DIR_ACTIVE, sv_z(id), &e), -1);
	assert_int_equal(count_files(&q, QUEUE_DIR_ACTIVE), 1);
	int fd = queue_open_dir(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e);
	assert_true(fd >= 0);
	assert_int_equal(queue_sync_dir(fd, QUEUE_DIR_ACTIVE, sv_z(id), &e), 0);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e), 1);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z(id), &e), 0);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_ACTIVE, sv_z("../../x"), &e), -1);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void odd_files_are_not_opened(UNUSED void **state)
{
	static const char id[] = "4Pt2mN2VXxznjllB", other[] = "4Pt2mN2VXxznjllC";
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX], from[4096], to[4096];
	struct queue q;
	struct err e = ERR_INIT;
	int fd = -1;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_path(QUEUE_DIR_MAILDROP, sv_z(id), path), 0);
	snprintf(to, sizeof(to), "%s/%s", dir, path);
	assert_int_equal(symlink("/etc/passwd", to), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(mkfifo(to, 0600), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	assert_int_equal(unlink(to), 0);
	touch(dir, path);
	snprintf(from, sizeof(from), "%s", to);
	assert_int_equal(queue_path(QUEUE_DIR_MAILDROP, sv_z(other), path), 0);
	snprintf(to, sizeof(to), "%s/%s", dir, path);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(queue_open_mail(&q, QUEUE_DIR_MAILDROP, sv_z(id), O_RDONLY, &fd, &e), -1);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void keep_name(void *ctx, const char *name)
{
	snprintf(ctx, 100, "%s", name);
}

static void scan_skips_what_is_no_mail(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct queue q;
	struct queue_scan s;
	struct err e = ERR_INIT;
	char id[QUEUE_ID_MAX + 1];
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	touch(dir, "deferred/0/core");
	touch(dir, "deferred/F/4Pt2mN2VXxznjllB");
	touch(dir, "deferred/3/.hidden");
	queue_scan_start(&s, &q, QUEUE_DIR_DEFERRED);
	char odd[100] = "";
	s.odd_name = keep_name;
	s.odd_ctx = odd;
	assert_int_equal(queue_scan_next(&s, id, &e), 1);
	assert_string_equal(id, "4Pt2mN2VXxznjllB");
	assert_int_equal(queue_scan_next(&s, id, &e), 0);
	assert_int_equal(s.odd, 1);
	assert_string_equal(odd, "core");
	queue_scan_end(&s);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void names_of_queues(UNUSED void **state)
{
	enum queue_name n;
	assert_int_equal(queue_dir_by_name(SV("hold"), &n), 1);
	assert_int_equal(n, QUEUE_DIR_HOLD);
	assert_int_equal(queue_dir_by_name(SV("Hold"), &n), 0);
	assert_string_equal(queue_dir_name(QUEUE_DIR_DEFER), "defer");
}

#ifdef MERPATI_FAULTS
#define FAULT "*:fsync:*/failing/deferred:1:EIO,*:fsync:*/failing:2:EIO"

static void directories_of_a_failed_fsync_are_made_anew(UNUSED void **state)
{
	char *dir = tmpdir_new(), spool[300];
	struct queue q;
	struct stat st;
	struct err e = ERR_INIT;
	(void)snprintf(spool, sizeof(spool), "%s/failing", dir);
	assert_int_equal(mkdir(spool, 0700), 0);
	assert_int_equal(queue_open(&q, spool, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), -1);
	assert_string_equal(e.text, "fsync queue directory deferred: Input/output error");
	assert_int_equal(fstatat(q.root, "deferred", &st, 0), 0);
	assert_int_equal(fstatat(q.root, "deferred/0", &st, 0), -1);
	assert_int_equal(unlinkat(q.root, "done", AT_REMOVEDIR), 0);
	assert_int_equal(queue_create_dirs(&q, &e), -1);
	assert_int_equal(fstatat(q.root, "done", &st, 0), -1);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(fstatat(q.root, "done", &st, 0), 0);
	assert_int_equal(fstatat(q.root, "trace/F", &st, 0), 0);
	queue_close(&q);
	tmpdir_remove(dir);
}
#endif

int main(void)
{
#ifdef MERPATI_FAULTS
	setenv("MERPATI_FAULT", FAULT, 1);
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_finds_and_removes),
		cmocka_unit_test(odd_files_are_not_opened),
		cmocka_unit_test(scan_skips_what_is_no_mail),
		cmocka_unit_test(names_of_queues),
#ifdef MERPATI_FAULTS
		cmocka_unit_test(directories_of_a_failed_fsync_are_made_anew),
#endif
	};
	return cmocka_run_group_tests_name("queue_dir", tests, NULL, NULL);
}
