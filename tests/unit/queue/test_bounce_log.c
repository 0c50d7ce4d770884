/* Unit test of lib/queue/bounce_log.c. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/queue/bounce_log.h"
#include "lib/queue/queue_file.h"

static struct bounce_entry entry(uint64_t offset)
{
	struct bounce_entry en = { .nonce = 5, .offset = offset, .time_s = 1795420800, .notify = 4 };
#define X(field, name) en.field = SV_NONE;
	BOUNCE_ENTRY_TEXTS(X)
#undef X
	en.recipient = SV("bob@example.test");
	en.action = SV("failed");
	en.dsn = SV("5.1.1");
	en.text = SV("unknown user: \"bob\"");
	return en;
}

static void round_trip(UNUSED void **state)
{
	struct buf b;
	struct bounce_entry in = entry(300), out;
	size_t used;
	buf_init(&b, BOUNCE_LOG_BLOCK_MAX);
	assert_int_equal(bounce_entry_encode(&in, &b), 0);
	assert_int_equal(bounce_entry_decode(buf_sv(&b), &out, &used), 1);
	assert_int_equal(used, b.len);
	t_assert_sv(out.recipient, "bob@example.test");
	t_assert_sv(out.action, "failed");
	t_assert_sv(out.dsn, "5.1.1");
	t_assert_sv(out.text, "unknown user: \"bob\"");
	t_assert_sv(out.remote_mta, "");
	assert_int_equal(out.nonce, 5);
	assert_int_equal(out.offset, 300);
	assert_int_equal(out.time_s, 1795420800);
	assert_int_equal(out.notify, QUEUE_NOTIFY_FAILURE);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(bounce_entry_decode(sv_n(b.p, n), &out, &used), 0);
	buf_free(&b);
}

static void texts_cannot_make_lines(UNUSED void **state)
{
	struct buf b;
	struct bounce_entry in = entry(1), out;
	size_t used;
	buf_init(&b, BOUNCE_LOG_BLOCK_MAX);
	in.text = SV("no\n\nrecipient=evil@example.test\naction=delivered\r\0x");
	assert_int_equal(bounce_entry_encode(&in, &b), 0);
	assert_int_equal(bounce_entry_decode(buf_sv(&b), &out, &used), 1);
	assert_int_equal(used, b.len);
	t_assert_sv(out.recipient, "bob@example.test");
	t_assert_sv(out.action, "failed");
	t_assert_sv(out.text, "no??recipient=evil@example.test?action=delivered??x");
	buf_free(&b);
}

struct seen {
	size_t n;
	uint64_t last;
};

static bool see(void *ctx, const struct bounce_entry *en)
{
	struct seen *s = ctx;
	s->n++;
	s->last = en->offset;
	return true;
}

static size_t count(struct queue *q, struct sv id)
{
	struct seen s = { .n = 0 };
	struct err e = ERR_INIT;
	assert_int_not_equal(bounce_log_read(q, QUEUE_DIR_DEFER, id, see, &s, &e), -1);
	return s.n;
}

static void append_is_idempotent_and_survives_tears(UNUSED void **state)
{
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX], full[4096];
	struct queue q;
	struct err e = ERR_INIT;
	struct sv id = SV("4Pt2mN2VXxznjllB");
	struct bounce_entry two[] = { entry(300), entry(350) }, three = entry(400);
	struct buf b;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(count(&q, id), 0);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, two, 2, &e), 0);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, two, 2, &e), 0);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &two[1], 1, &e), 0);
	assert_int_equal(count(&q, id), 2);
	assert_int_equal(queue_path(QUEUE_DIR_DEFER, id, path), 0);
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	buf_init(&b, BOUNCE_LOG_BLOCK_MAX);
	assert_int_equal(bounce_entry_encode(&three, &b), 0);
	for (size_t cut = 1; cut < b.len - 1; cut += 7) {
		int fd = open(full, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, b.p, cut), (ssize_t)cut);
		close(fd);
		assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, two, 2, &e), 0);
		assert_int_equal(count(&q, id), 2);
	}
	buf_free(&b);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_HOLD, id, two, 2, &e), -1);
	assert_int_equal(queue_remove(&q, QUEUE_DIR_DEFER, id, &e), 1);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void large_logs_are_read_in_pieces(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct queue q;
	struct err e = ERR_INIT;
	struct sv id = SV("4Pt2mN2VXxznjllB");
	static struct bounce_entry many[3000];
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = entry(i);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, many, ARRAY_LEN(many), &e), 0);
	assert_int_equal(count(&q, id), ARRAY_LEN(many));
	queue_close(&q);
	tmpdir_remove(dir);
}

#ifdef MERPATI_FAULTS
/* FAULT below: the second fsync of the log, and the third of its directory, in a spool named failing. */
#define FAULT "*:fsync:*/failing/defer/?/*:2:EIO,*:fsync:*/failing/defer/?:3:EIO"

static void what_a_failed_fsync_left_is_taken_back(UNUSED void **state)
{
	char *dir = tmpdir_new(), spool[300], path[QUEUE_PATH_MAX];
	struct queue q;
	struct stat st;
	struct err e = ERR_INIT;
	struct sv id = SV("4Pt2mN2VXxznjllB");
	struct bounce_entry one = entry(300), two = entry(350);
	(void)snprintf(spool, sizeof(spool), "%s/failing", dir);
	assert_int_equal(mkdir(spool, 0700), 0);
	assert_int_equal(queue_open(&q, spool, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &one, 1, &e), 0);
	/* the log's fsync */
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &two, 1, &e), -1);
	assert_int_equal(e.cls, ERR_TEMP);
	assert_int_equal(count(&q, id), 1);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &two, 1, &e), 0);
	assert_int_equal(count(&q, id), 2);
	/* the directory's, of a log that is new */
	assert_int_equal(queue_remove(&q, QUEUE_DIR_DEFER, id, &e), 1);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &one, 1, &e), -1);
	assert_int_equal(queue_path(QUEUE_DIR_DEFER, id, path), 0);
	assert_int_equal(fstatat(q.root, path, &st, 0), -1);
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, id, &one, 1, &e), 0);
	assert_int_equal(count(&q, id), 1);
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
		cmocka_unit_test(round_trip),
		cmocka_unit_test(texts_cannot_make_lines),
		cmocka_unit_test(append_is_idempotent_and_survives_tears),
		cmocka_unit_test(large_logs_are_read_in_pieces),
#ifdef MERPATI_FAULTS
		cmocka_unit_test(what_a_failed_fsync_left_is_taken_back),
#endif
	};
	return cmocka_run_group_tests_name("bounce_log", tests, NULL, NULL);
}
