/* Unit test of lib/queue/done_log.c. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>

#include "lib/base/buf.h"
#include "lib/queue/done_log.h"

static struct done_record record(uint64_t offset)
{
	return (struct done_record){ .id = SV("4Pt2mN2VXxznjllB"), .nonce = 77, .offset = offset,
		.result = QUEUE_DELIVERED, .action = QUEUE_ACTION_EXPANDED,
		.time_us = 1795420800123456, .dsn = SV("2.0.0"), .text = SV("delivered to maildir") };
}

struct seen {
	uint64_t offsets[64];
	size_t n;
	size_t stop_after;
};

static bool see(void *ctx, const struct done_record *r)
{
	struct seen *s = ctx;
	if (s->n < ARRAY_LEN(s->offsets))
		s->offsets[s->n] = r->offset;
	s->n++;
	return s->stop_after == 0 || s->n < s->stop_after;
}

static void round_trip(UNUSED void **state)
{
	unsigned char raw[DONE_LOG_RECORD_MAX];
	struct done_record in = record(300), out;
	size_t used = 0, n = done_record_encode(&in, raw);
	assert_true(n > 0);
	assert_int_equal(done_record_decode(sv_n((const char *)raw, n), &out, &used), 1);
	assert_int_equal(used, n);
	assert_int_equal(out.offset, 300);
	assert_int_equal(out.nonce, 77);
	assert_int_equal(out.action, QUEUE_ACTION_EXPANDED);
	t_assert_sv(out.id, "4Pt2mN2VXxznjllB");
	t_assert_sv(out.dsn, "2.0.0");
	t_assert_sv(out.text, "delivered to maildir");
	for (size_t k = 0; k < n; k++)
		assert_int_equal(done_record_decode(sv_n((const char *)raw, k), &out, &used), 0);
	for (size_t bit = 0; bit < n * 8; bit++) {
		raw[bit / 8] ^= (unsigned char)(1 << (bit % 8));
		assert_int_equal(done_record_decode(sv_n((const char *)raw, n), &out, &used), 0);
		raw[bit / 8] ^= (unsigned char)(1 << (bit % 8));
	}
}

static void long_text_is_cut_and_bad_ids_refused(UNUSED void **state)
{
	static char big[3000];
	unsigned char raw[DONE_LOG_RECORD_MAX];
	struct done_record in = record(1), out;
	size_t used;
	memset(big, 'y', sizeof(big));
	in.text = sv_n(big, sizeof(big));
	size_t n = done_record_encode(&in, raw);
	assert_int_equal(done_record_decode(sv_n((const char *)raw, n), &out, &used), 1);
	assert_int_equal(out.text.len, DONE_LOG_TEXT_MAX);
	in.id = SV("../x");
	assert_int_equal(done_record_encode(&in, raw), 0);
}

/* Every way to tear one record of three: the two others are still found. */
static void torn_records_are_skipped(UNUSED void **state)
{
	char *dir = tmpdir_new(), path[4096];
	unsigned char raw[DONE_LOG_RECORD_MAX];
	struct done_record r = record(2);
	size_t n = done_record_encode(&r, raw);
	snprintf(path, sizeof(path), "%s/log", dir);
	for (size_t cut = 0; cut <= n; cut++) {
		struct err e = ERR_INIT;
		struct seen s = { .n = 0 };
		struct done_record a = record(1), b = record(3);
		int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0600);
		assert_int_equal(done_log_append(fd, &a, 1, &e), 0);
		assert_int_equal(write(fd, raw, cut), (ssize_t)cut);
		assert_int_equal(done_log_append(fd, &b, 1, &e), 0);
		assert_int_equal(done_log_read(fd, see, &s, &e), 1);
		assert_int_equal(s.n, cut == n ? 3 : 2);
		assert_int_equal(s.offsets[0], 1);
		assert_int_equal(s.offsets[s.n - 1], 3);
		close(fd);
	}
	tmpdir_remove(dir);
}

static void count_name(void *ctx, const char *name)
{
	(*(size_t *)ctx)++;
	assert_string_equal(name, "local.12.3");
}

static void logs_in_the_spool(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct queue q;
	struct err e = ERR_INIT;
	struct done_record many[40];
	size_t names = 0;
	int fd;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	int log = done_log_create(&q, "local.12.3", &e);
	assert_true(log >= 0);
	assert_int_equal(done_log_create(&q, "local.12.3", &e), -1);
	assert_int_equal(done_log_create(&q, "../x", &e), -1);
	assert_int_equal(done_log_create(&q, ".hidden", &e), -1);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = record(i);
	assert_int_equal(done_log_append(log, many, ARRAY_LEN(many), &e), 0);
	close(log);
	assert_int_equal(done_log_list(&q, count_name, &names, &e), 0);
	assert_int_equal(names, 1);
	assert_int_equal(done_log_open(&q, "local.12.3", &fd, &e), 1);
	struct seen s = { .n = 0 };
	assert_int_equal(done_log_read(fd, see, &s, &e), 1);
	assert_int_equal(s.n, ARRAY_LEN(many));
	struct seen first = { .stop_after = 5 };
	assert_int_equal(done_log_read(fd, see, &first, &e), 0);
	assert_int_equal(first.n, 5);
	close(fd);
	assert_int_equal(done_log_remove(&q, "local.12.3", &e), 1);
	assert_int_equal(done_log_remove(&q, "local.12.3", &e), 0);
	assert_int_equal(done_log_open(&q, "local.12.3", &fd, &e), 0);
	queue_close(&q);
	tmpdir_remove(dir);
}

struct piece {
	uint64_t next;  /* the offset that must come */
	size_t room;
};

static bool take(void *ctx, const struct done_record *r)
{
	struct piece *p = ctx;
	if (p->room == 0)
		return false;
	assert_int_equal(r->offset, p->next);
	p->next++;
	p->room--;
	return true;
}

/* 300,000 records, a torn one here and there: in pieces of any size every one comes once, in order. */
static void a_log_of_any_length_in_pieces(UNUSED void **state)
{
	enum { RECORDS = 300000, BLOCK = 1000 };
	static const size_t sizes[] = { 1777, 4096, RECORDS - 1, RECORDS, RECORDS + 1 };
	char *dir = tmpdir_new(), path[4096];
	static struct done_record block[BLOCK];
	unsigned char raw[DONE_LOG_RECORD_MAX];
	struct done_record r = record(7);
	struct err e = ERR_INIT;
	(void)done_record_encode(&r, raw);
	snprintf(path, sizeof(path), "%s/log", dir);
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0600);
	for (size_t i = 0; i < RECORDS; i += BLOCK) {
		for (size_t k = 0; k < BLOCK; k++)
			block[k] = record(i + k);
		assert_int_equal(done_log_append(fd, block, BLOCK, &e), 0);
		assert_int_equal(write(fd, raw, 11 + i / BLOCK % 50), (ssize_t)(11 + i / BLOCK % 50));
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct piece p = { .room = sizes[i] };
		off_t at = 0;
		int rc;
		while ((rc = done_log_read_from(fd, &at, take, &p, &e)) == 0)
			p.room = sizes[i];
		assert_int_equal(rc, 1);
		assert_int_equal(p.next, RECORDS);
	}
	close(fd);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(long_text_is_cut_and_bad_ids_refused),
		cmocka_unit_test(torn_records_are_skipped),
		cmocka_unit_test(logs_in_the_spool),
		cmocka_unit_test(a_log_of_any_length_in_pieces),
	};
	return cmocka_run_group_tests_name("done_log", tests, NULL, NULL);
}
