/*
 * Unit test of lib/queue/queue_mail.c, and of the format in queue_file.c with it: a written mail reads
 * back; every truncation and every single flipped bit is noticed or harmless.
 */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/num.h"
#include "lib/queue/queue_mail.h"

static const char content[] = "Subject: x\n\n.dot\nbody \xc3\xa9\n";

static struct queue_facts facts(void)
{
	struct queue_facts f = { .ret = QUEUE_RET_HDRS, .uid = 1000 };
#define X(field, type) f.field = SV_NONE;
	QUEUE_FACTS(X)
#undef X
	f.sender = SV("alice@example.test");
	f.envid = SV("env 1");
	f.client_name = SV("localhost");
	f.message_id = SV("<1@example.test>");
	return f;
}

static const struct queue_rcpt rcpts[] = {
	{ .address = SV_INIT("bob@example.test"), .original = SV_INIT("bob@example.test"),
		.orcpt = SV_INIT("") },
	{ .address = SV_INIT("carol@example.test"), .original = SV_INIT("list@example.test"),
		.orcpt = SV_INIT("rfc822;list@example.test"), .notify = QUEUE_NOTIFY_SUCCESS },
};

/* A whole file in B; h gets its header. */
static void build(struct buf *b, struct queue_header *h)
{
	struct buf env;
	struct queue_facts f = facts();
	memset(h, 0, sizeof(*h));
	buf_init(&env, 1 << 20);
	assert_int_equal(queue_facts_encode(&f, &env), 0);
	h->rcpt_offset = QUEUE_HEADER_SIZE + sizeof(content) - 1 + env.len;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++)
		assert_int_equal(queue_rcpt_encode(&rcpts[i], &env), 0);
	h->nonce = 0x1122334455667788;
	h->content_offset = QUEUE_HEADER_SIZE;
	h->content_size = sizeof(content) - 1;
	h->crlf_size = h->content_size + 4;
	h->envelope_offset = h->content_offset + h->content_size;
	h->longest_line = 10;
	h->arrival_us = 1795420800123456;
	h->content_flags = QUEUE_CONTENT_8BIT | QUEUE_CONTENT_LEADING_DOT;
	h->rcpt_count = ARRAY_LEN(rcpts);
	h->content_crc = num_crc32c(0, content, sizeof(content) - 1);
	h->envelope_crc = num_crc32c(0, env.p, env.len);
	snprintf(h->id, sizeof(h->id), "4Pt2mN2VXxznjllB");
	assert_int_equal(queue_end_encode(h, &env), 0);
	h->envelope_size = env.len;
	unsigned char head[QUEUE_HEADER_SIZE];
	queue_header_encode(h, head);
	buf_put(b, head, sizeof(head));
	buf_put(b, content, sizeof(content) - 1);
	buf_put_sv(b, buf_sv(&env));
	assert_false(b->overflow);
	buf_free(&env);
}

struct fixture {
	char *dir;
	int fd;
	struct buf image;
	struct queue_header h;
};

static int setup(void **state)
{
	struct fixture *fx = mem_alloc(sizeof(*fx));
	char path[4096];
	fx->dir = tmpdir_new();
	snprintf(path, sizeof(path), "%s/mail", fx->dir);
	fx->fd = open(path, O_RDWR | O_CREAT, 0600);
	buf_init(&fx->image, 1 << 20);
	build(&fx->image, &fx->h);
	*state = fx;
	return fx->fd < 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;
	close(fx->fd);
	tmpdir_remove(fx->dir);
	buf_free(&fx->image);
	free(fx);
	return 0;
}

static void put_file(struct fixture *fx, const char *p, size_t n)
{
	assert_int_equal(ftruncate(fx->fd, 0), 0);
	assert_int_equal(pwrite(fx->fd, p, n, 0), (ssize_t)n);
}

/* Open and check everything: QUEUE_FILE_OK only when the whole file is believed. */
static int check_all(int fd, struct queue_mail *m)
{
	struct err e = ERR_INIT;
	int rc = queue_mail_open(m, fd, &e);
	if (rc != QUEUE_FILE_OK)
		return rc;
	rc = queue_mail_check_envelope(m, &e);
	if (rc == QUEUE_FILE_OK)
		rc = queue_mail_check_content(m, &e);
	if (rc != QUEUE_FILE_OK)
		queue_mail_close(m);
	return rc;
}

static void reads_what_was_written(void **state)
{
	struct fixture *fx = *state;
	struct queue_mail m;
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err e = ERR_INIT;
	put_file(fx, fx->image.p, fx->image.len);
	assert_int_equal(check_all(fx->fd, &m), QUEUE_FILE_OK);
	assert_string_equal(m.h.id, fx->h.id);
	assert_int_equal(m.h.nonce, fx->h.nonce);
	t_assert_sv(m.facts.sender, "alice@example.test");
	t_assert_sv(m.facts.envid, "env 1");
	t_assert_sv(m.facts.message_id, "<1@example.test>");
	assert_int_equal(m.facts.ret, QUEUE_RET_HDRS);
	assert_int_equal(m.facts.uid, 1000);
	queue_rcpt_start(&c, &m, 0);
	assert_int_equal(queue_rcpt_next(&c, &r, &e), 1);
	t_assert_sv(r.address, "bob@example.test");
	t_assert_sv(r.original, "bob@example.test");
	uint64_t resume = c.at;
	queue_rcpt_end(&c);
	queue_rcpt_start(&c, &m, resume);
	assert_int_equal(queue_rcpt_next(&c, &r, &e), 1);
	t_assert_sv(r.address, "carol@example.test");
	t_assert_sv(r.original, "list@example.test");
	t_assert_sv(r.orcpt, "rfc822;list@example.test");
	assert_int_equal(r.notify, QUEUE_NOTIFY_SUCCESS);
	assert_int_equal(r.offset, resume);
	assert_int_equal(queue_rcpt_next(&c, &r, &e), 0);
	queue_rcpt_end(&c);
	queue_mail_close(&m);
}

static void marks_survive_the_checks(void **state)
{
	struct fixture *fx = *state;
	struct queue_mail m;
	struct queue_rcpt_cursor c;
	struct queue_rcpt r;
	struct err e = ERR_INIT;
	put_file(fx, fx->image.p, fx->image.len);
	assert_int_equal(queue_mail_mark(fx->fd, fx->h.rcpt_offset, QUEUE_CELL_DELIVERED, &e), 0);
	assert_int_equal(check_all(fx->fd, &m), QUEUE_FILE_OK);
	queue_rcpt_start(&c, &m, 0);
	assert_int_equal(queue_rcpt_next(&c, &r, &e), 1);
	assert_int_equal(r.cell, QUEUE_CELL_DELIVERED);
	assert_int_equal(queue_rcpt_next(&c, &r, &e), 1);
	assert_int_equal(r.cell, QUEUE_CELL_PENDING);
	queue_rcpt_end(&c);
	queue_mail_close(&m);
	/* not at a recipient: refused, nothing written */
	assert_int_equal(queue_mail_mark(fx->fd, fx->h.content_offset, QUEUE_CELL_DELIVERED, &e), -1);
	assert_int_equal(queue_mail_mark(fx->fd, 3, QUEUE_CELL_DELIVERED, &e), -1);
	assert_int_equal(queue_mail_mark(fx->fd, UINT64_MAX, QUEUE_CELL_DELIVERED, &e), -1);
}

static void every_truncation_is_noticed(void **state)
{
	struct fixture *fx = *state;
	for (size_t n = 0; n < fx->image.len; n++) {
		struct queue_mail m;
		put_file(fx, fx->image.p, n);
		int rc = check_all(fx->fd, &m);
		assert_int_not_equal(rc, QUEUE_FILE_OK);
		assert_int_not_equal(rc, -1);
	}
}

/* Is OFFSET the cell of a recipient? */
static bool is_cell(const struct fixture *fx, size_t offset)
{
	size_t at = (size_t)fx->h.rcpt_offset;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		if (offset == at + 1)
			return true;
		at += QUEUE_RECORD_HEAD + num_get_le32(fx->image.p + at + 4);
	}
	return false;
}

static void every_flipped_bit_is_noticed_or_harmless(void **state)
{
	struct fixture *fx = *state;
	put_file(fx, fx->image.p, fx->image.len);
	for (size_t bit = 0; bit < fx->image.len * 8; bit++) {
		struct queue_mail m;
		struct queue_rcpt r;
		struct queue_rcpt_cursor c;
		struct err e = ERR_INIT;
		char octet = (char)(fx->image.p[bit / 8] ^ (1 << (bit % 8)));
		assert_int_equal(pwrite(fx->fd, &octet, 1, (off_t)(bit / 8)), 1);
		int rc = check_all(fx->fd, &m);
		if (is_cell(fx, bit / 8)) {
			/* the recipient stays undelivered, so it is delivered again: never lost */
			assert_int_equal(rc, QUEUE_FILE_OK);
			queue_rcpt_start(&c, &m, 0);
			while (queue_rcpt_next(&c, &r, &e) == 1)
				assert_int_equal(r.cell, QUEUE_CELL_PENDING);
			queue_rcpt_end(&c);
			queue_mail_close(&m);
		} else {
			assert_int_equal(rc, QUEUE_FILE_CORRUPT);
		}
		assert_int_equal(pwrite(fx->fd, fx->image.p + bit / 8, 1, (off_t)(bit / 8)), 1);
	}
}

static void another_version_is_unknown(void **state)
{
	struct fixture *fx = *state;
	unsigned char head[QUEUE_HEADER_SIZE];
	struct queue_header h;
	queue_header_encode(&fx->h, head);
	num_put_le32(head + 8, 2);
	num_put_le32(head + 12, 512);
	assert_int_equal(queue_header_decode(head, fx->image.len, &h), QUEUE_FILE_CORRUPT);
	num_put_le32(head + 252, num_crc32c(0, head, 252));
	assert_int_equal(queue_header_decode(head, fx->image.len, &h), QUEUE_FILE_UNKNOWN);
}

static void no_header_is_incomplete(void **state)
{
	struct fixture *fx = *state;
	struct queue_mail m;
	struct err e = ERR_INIT;
	memset(fx->image.p, 0, QUEUE_HEADER_SIZE);
	put_file(fx, fx->image.p, fx->image.len);
	assert_int_equal(queue_mail_open(&m, fx->fd, &e), QUEUE_FILE_INCOMPLETE);
}

static void many_recipients_pass_the_cursor(void **state)
{
	struct fixture *fx = *state;
	struct buf env;
	struct queue_header h = fx->h;
	buf_init(&env, 16 << 20);
	for (unsigned i = 0; i < 20000; i++) {
		char a[64];
		int n = snprintf(a, sizeof(a), "user%u@example.test", i);
		struct queue_rcpt r = { .address = sv_n(a, (size_t)n) };
		assert_int_equal(queue_rcpt_encode(&r, &env), 0);
	}
	h.content_size = h.crlf_size = 0;
	h.envelope_offset = h.rcpt_offset = QUEUE_HEADER_SIZE;
	h.content_crc = 0;
	h.rcpt_count = 20000;
	h.envelope_crc = num_crc32c(0, env.p, env.len);
	assert_int_equal(queue_end_encode(&h, &env), 0);
	h.envelope_size = env.len;
	unsigned char head[QUEUE_HEADER_SIZE];
	queue_header_encode(&h, head);
	put_file(fx, (const char *)head, sizeof(head));
	assert_int_equal(pwrite(fx->fd, env.p, env.len, QUEUE_HEADER_SIZE), (ssize_t)env.len);
	struct queue_mail m;
	assert_int_equal(check_all(fx->fd, &m), QUEUE_FILE_OK);
	queue_mail_close(&m);
	buf_free(&env);
}

static void leftovers_go_when_nobody_writes(UNUSED void **state)
{
	static const char id[] = "4Pt2mN2VXxznjllB";
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char *dir = tmpdir_new(), path[QUEUE_PATH_MAX];
	struct queue q;
	struct err e = ERR_INIT;
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_path(QUEUE_DIR_INCOMING, sv_z(id), path), 0);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 0);
	int fd = openat(q.root, path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 0); /* young */
	assert_int_equal(futimens(fd, old), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 0); /* busy */
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 1);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 0);
	close(fd);
	/* of the future: the clock was set back since */
	fd = openat(q.root, path, O_CREAT | O_RDWR, 0600);
	const struct timespec ahead[2] = { { .tv_sec = time(NULL) + 86400 }, { .tv_sec = time(NULL) + 86400 } };
	assert_int_equal(futimens(fd, ahead), 0);
	assert_int_equal(queue_remove_leftover(&q, QUEUE_DIR_INCOMING, sv_z(id), &e), 1);
	close(fd);
	queue_close(&q);
	tmpdir_remove(dir);
}

#define WITH_FILE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(reads_what_was_written),
		WITH_FILE(marks_survive_the_checks),
		WITH_FILE(every_truncation_is_noticed),
		WITH_FILE(every_flipped_bit_is_noticed_or_harmless),
		WITH_FILE(another_version_is_unknown),
		WITH_FILE(no_header_is_incomplete),
		cmocka_unit_test(leftovers_go_when_nobody_writes),
		WITH_FILE(many_recipients_pass_the_cursor),
	};
	return cmocka_run_group_tests_name("queue_mail", tests, NULL, NULL);
}
