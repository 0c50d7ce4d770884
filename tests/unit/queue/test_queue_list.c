/* Unit test of lib/queue/queue_list.c: a spool with one mail of each kind. */
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>

#include "lib/base/num.h"
#include "lib/queue/bounce_log.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_list.h"

#define ID "4Pt2mN2VXxznjllB"
#define DROP_ID "4Pt2mN2VXxznjllC"

static void put_file(const char *dir, enum queue_name n, const char *id, struct sv octets, mode_t mode)
{
	char path[QUEUE_PATH_MAX], full[4096];
	assert_int_equal(queue_path(n, sv_z(id), path), 0);
	snprintf(full, sizeof(full), "%s/%s", dir, path);
	int fd = open(full, O_CREAT | O_WRONLY | O_TRUNC, mode);
	assert_int_equal(write(fd, octets.p, octets.len), (ssize_t)octets.len);
	close(fd);
}

/* A mail of three recipients, the first one done; returns the offset of the second. */
static uint64_t put_mail(const char *dir)
{
	struct queue_facts f = { .uid = -1, .sender = SV("a b@example.test") };
	struct queue_header h = { .nonce = 9, .content_offset = 256, .content_size = 2, .crlf_size = 3,
		.envelope_offset = 258, .arrival_us = 1795420800000000, .rcpt_count = 3, .id = ID };
	struct buf env, file;
	uint64_t second = 0;
	static const char *const names[] = { "done@x.test", "late@x.test", "new@x.test" };
	buf_init(&env, 65536);
	buf_init(&file, 65536);
	assert_int_equal(queue_facts_encode(&f, &env), 0);
	h.rcpt_offset = 258 + env.len;
	for (size_t i = 0; i < 3; i++) {
		struct queue_rcpt r = { .address = sv_z(names[i]) };
		if (i == 1)
			second = 258 + env.len;
		assert_int_equal(queue_rcpt_encode(&r, &env), 0);
	}
	h.envelope_crc = num_crc32c(0, env.p, env.len);
	h.content_crc = num_crc32c(0, "x\n", 2);
	assert_int_equal(queue_end_encode(&h, &env), 0);
	h.envelope_size = env.len;
	unsigned char head[QUEUE_HEADER_SIZE];
	queue_header_encode(&h, head);
	buf_put(&file, head, sizeof(head));
	buf_puts(&file, "x\n");
	buf_put_sv(&file, buf_sv(&env));
	file.p[h.rcpt_offset + 1] = QUEUE_CELL_DELIVERED;
	put_file(dir, QUEUE_DIR_DEFERRED, ID, buf_sv(&file), 0600);
	put_file(dir, QUEUE_DIR_HOLD, "4Pt2mN2VXxznjllD", sv_n(file.p, 300), 0600); /* damaged: left out */
	buf_free(&env);
	buf_free(&file);
	return second;
}

static void put_drop(const char *dir)
{
	struct buf b;
	buf_init(&b, 65536);
	drop_put_magic(&b);
	drop_put(&b, DROP_SENDER, SV(""));
	drop_put_number(&b, DROP_RCPT, 0, SV("bob"));
	drop_put_content(&b, SV("x\n"));
	drop_put_end(&b);
	put_file(dir, QUEUE_DIR_MAILDROP, DROP_ID, buf_sv(&b), 0700);
	put_file(dir, QUEUE_DIR_MAILDROP, "4Pt2mN2VXxznjllF", buf_sv(&b), 0600); /* not finished */
	buf_free(&b);
}

static bool gather(void *ctx, struct sv octets)
{
	for (size_t i = 0; i < octets.len; i++)
		buf_putc(ctx, octets.p[i] ? octets.p[i] : '|');
	return true;
}

static bool stop_at_once(void *ctx, UNUSED struct sv octets)
{
	++*(int *)ctx;
	return false;
}

static void lists_what_waits(UNUSED void **state)
{
	char *dir = tmpdir_new();
	struct queue q;
	struct err e = ERR_INIT;
	struct buf out;
	int calls = 0;
	buf_init(&out, 65536);
	assert_int_equal(queue_open(&q, dir, &e), 0);
	assert_int_equal(queue_create_dirs(&q, &e), 0);
	assert_int_equal(queue_list(&q, gather, &out, &e), 1);
	assert_string_equal(out.p, "protocol|mail_queue_list_protocol|||");
	struct bounce_entry why[2] = { { .nonce = 9, .offset = put_mail(dir), .text = SV("host is\ndown") },
		{ .nonce = 8, .offset = 1, .text = SV("of another mail") } };
	assert_int_equal(bounce_log_append(&q, QUEUE_DIR_DEFER, SV(ID), why, 2, &e), 0);
	put_drop(dir);
	buf_reset(&out);
	assert_int_equal(queue_list(&q, gather, &out, &e), 1);
	char *drop = strstr(out.p, "queue_name|maildrop|queue_id|" DROP_ID "|time|");
	assert_non_null(drop);
	assert_non_null(strstr(drop, "|forced_expire|0|sender|MAILER-DAEMON|recipient|bob|reason|||"));
	assert_non_null(strstr(out.p,
		"queue_name|deferred|queue_id|" ID "|time|1795420800|size|2|forced_expire|0|next_attempt|"));
	assert_non_null(strstr(out.p,
		"|sender|\"a b\"@example.test|recipient|late@x.test|reason|host is?down|"
		"recipient|new@x.test|reason|||"));
	assert_null(strstr(out.p, "done@"));
	assert_null(strstr(out.p, "hold"));
	assert_null(strstr(out.p, "4Pt2mN2VXxznjllF"));
	assert_int_equal(queue_list(&q, stop_at_once, &calls, &e), 0);
	assert_int_equal(calls, 1);
	buf_free(&out);
	queue_close(&q);
	tmpdir_remove(dir);
}

static void takes_strings(UNUSED void **state)
{
	struct sv in = SV("a\0\0bc"), out;
	assert_int_equal(queue_list_take(&in, &out), 1);
	t_assert_sv(out, "a");
	assert_int_equal(queue_list_take(&in, &out), 1);
	t_assert_sv(out, "");
	assert_int_equal(queue_list_take(&in, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_what_waits),
		cmocka_unit_test(takes_strings),
	};
	return cmocka_run_group_tests_name("queue_list", tests, NULL, NULL);
}
