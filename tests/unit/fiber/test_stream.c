/* Unit test of lib/fiber/stream.c, over a socketpair and over a scripted transport. */
#include "tests/support/t.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"
#include "lib/sys/log.h"

/* A transport that gives the pieces of a script and keeps what is written. */
struct script {
	const char *const *pieces;
	struct buf out;
	int end; /* result after the last piece */
};

static ssize_t script_read(void *ctx, void *p, size_t n, int64_t deadline)
{
	struct script *s = ctx;
	(void)deadline;
	if (!*s->pieces)
		return s->end;
	size_t len = strlen(*s->pieces);
	assert_true(len <= n);
	memcpy(p, *s->pieces++, len);
	return (ssize_t)len;
}

static ssize_t script_write(void *ctx, const void *p, size_t n, int64_t deadline)
{
	struct script *s = ctx;
	(void)deadline;
	size_t part = n > 1000 ? 1000 : n; /* short writes */
	return buf_put(&s->out, p, part) < 0 ? STREAM_ERR : (ssize_t)part;
}

static void script_free(void *ctx)
{
	struct script *s = ctx;
	buf_free(&s->out);
}

static const struct stream_ops script_ops = { script_read, script_write, script_free };

static struct stream *open_script(struct script *s, const char *const *pieces, int end)
{
	s->pieces = pieces;
	s->end = end;
	buf_init(&s->out, 1 << 20);
	return stream_new_ops(&script_ops, s);
}

static void test_lines(void **state)
{
	static const char *const in[] = { "HE", "LO a\r\nsecond\nthi", "rd\r", "\n\r\n", "no end", NULL };
	struct script sc;
	struct sv line;
	bool cr;
	(void)state;
	struct stream *s = open_script(&sc, in, STREAM_EOF);
	assert_int_equal(stream_line(s, 100, &line, &cr, 0), 1);
	t_assert_sv(line, "HELO a");
	assert_true(cr);
	assert_int_equal(stream_line(s, 100, &line, &cr, 0), 1);
	t_assert_sv(line, "second");
	assert_false(cr);
	assert_int_equal(stream_line(s, 100, &line, &cr, 0), 1);
	t_assert_sv(line, "third");
	assert_int_equal(stream_line(s, 100, &line, NULL, 0), 1);
	t_assert_sv(line, "");
	assert_int_equal(stream_line(s, 100, &line, NULL, 0), STREAM_EOF);
	t_assert_sv(stream_buffered(s), "no end");
	assert_int_equal(stream_line(s, 100, &line, NULL, 0), STREAM_EOF);
	/* the peer closed its half: an answer still goes out */
	assert_int_equal(stream_puts(s, "bye"), 1);
	assert_int_equal(stream_flush(s), 1);
	t_assert_sv(buf_sv(&sc.out), "bye");
	stream_free(s);
}

static void test_limits(void **state)
{
	static const char *const in[] = { "12345678\n", "123456789\n", "1234", "5678901234567890",
		"x\nnext\n", NULL };
	struct script sc;
	struct sv line;
	(void)state;
	struct stream *s = open_script(&sc, in, STREAM_TIMEOUT);
	assert_int_equal(stream_line(s, 9, &line, NULL, 0), 1);
	assert_int_equal(stream_line(s, 9, &line, NULL, 0), STREAM_TOO_LONG);
	assert_int_equal(stream_line(s, 10, &line, NULL, 0), 1);
	t_assert_sv(line, "123456789");
	assert_int_equal(stream_line(s, 10, &line, NULL, 0), STREAM_TOO_LONG);
	assert_int_equal(stream_discard_line(s, 1000, 0), 1);
	assert_int_equal(stream_line(s, 10, &line, NULL, 0), 1);
	t_assert_sv(line, "next");
	assert_int_equal(stream_line(s, 10, &line, NULL, 0), STREAM_TIMEOUT);
	assert_int_equal(stream_line(s, 10, &line, NULL, 0), STREAM_TIMEOUT); /* final */
	assert_int_equal(stream_puts(s, "x"), 1); /* but for what the peer is told about it */
	stream_free(s);
}

static void test_discard_bounded(void **state)
{
	static const char *const in[] = { "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc\n", NULL };
	struct script sc;
	(void)state;
	struct stream *s = open_script(&sc, in, STREAM_EOF);
	assert_int_equal(stream_discard_line(s, 15, 0), STREAM_TOO_LONG);
	stream_free(s);
}

static void test_unread_and_exact(void **state)
{
	static const char *const in[] = { "world", "!", NULL };
	struct script sc;
	char got[12] = "";
	struct sv have;
	(void)state;
	struct stream *s = open_script(&sc, in, STREAM_EOF);
	assert_int_equal(stream_peek(s, &have, 0), 5);
	stream_consume(s, 1);
	assert_int_equal(stream_unread(s, SV("hello w")), 0);
	assert_int_equal(stream_read_all(s, got, 11, 0), 1);
	assert_string_equal(got, "hello world");
	assert_int_equal(stream_read_all(s, got, 2, 0), STREAM_EOF);
	assert_int_equal(stream_octets_in(s), 6);
	stream_free(s);
}

static void test_large_writes(void **state)
{
	static const char *const in[] = { NULL };
	struct script sc;
	char block[5000];
	(void)state;
	memset(block, 'x', sizeof(block));
	struct stream *s = open_script(&sc, in, STREAM_EOF);
	for (int i = 0; i < 20; i++)
		assert_int_equal(stream_write(s, block, sizeof(block)), 1);
	assert_int_equal(stream_printf(s, "%s%.*s", "head", 3000, block), 1);
	assert_int_equal(stream_flush(s), 1);
	assert_int_equal(sc.out.len, 20 * 5000 + 3004);
	assert_int_equal(stream_octets_out(s), 20 * 5000 + 3004);
	stream_free(s);
}

static void test_socket_without_loop(void **state)
{
	int p[2];
	struct sv line, rest;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	struct stream *a = stream_new(p[0]), *b = stream_new(p[1]);
	assert_int_equal(stream_puts(a, "one\r\ntwo"), 1);
	assert_int_equal(stream_flush(a), 1);
	assert_int_equal(stream_line(b, 100, &line, NULL, fiber_deadline(1000)), 1);
	t_assert_sv(line, "one");
	assert_int_equal(stream_detach(b, &rest), p[1]);
	t_assert_sv(rest, "two");
	assert_int_equal(stream_line(a, 100, &line, NULL, fiber_deadline(1)), STREAM_TIMEOUT);
	stream_free(a);
	stream_free(b);
	close(p[1]);
}

static void test_peer(void **state)
{
	int p[2];
	struct sv octets;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	struct stream *s = stream_new(p[0]);
	assert_int_equal(stream_peer(s), STREAM_PEER_OPEN);
	assert_int_equal(write(p[1], "unread", 6), 6);
	assert_int_equal(stream_peer(s), STREAM_PEER_OPEN);
	/* octets that wait do not hide that no more come */
	assert_int_equal(shutdown(p[1], SHUT_WR), 0);
	assert_int_equal(stream_peer(s), STREAM_PEER_SILENT);
	assert_int_equal(close(p[1]), 0);
	assert_int_equal(stream_peer(s), STREAM_PEER_GONE);
	assert_int_equal(stream_peek(s, &octets, fiber_deadline(1000)), 6);
	stream_free(s);
}

/* --- both ends in one loop: more than the socket holds --------------------------------------------- */

struct pair {
	int fd[2];
	size_t got;
	int rc;
};

static void reader(void *arg)
{
	struct pair *p = arg;
	struct stream *s = stream_new(p->fd[1]);
	struct sv have;
	while (stream_peek(s, &have, fiber_deadline(5000)) > 0) {
		p->got += have.len;
		stream_consume(s, have.len);
	}
	stream_free(s);
	fiber_stop(0);
}

static void writer(void *arg)
{
	struct pair *p = arg;
	static char block[100000];
	if (!fiber_spawn("reader", 0, reader, p))
		return;
	struct stream *s = stream_new(p->fd[0]);
	for (int i = 0; i < 50; i++)
		p->rc = stream_write(s, block, sizeof(block));
	stream_free(s);
}

static void test_bulk(void **state)
{
	struct pair p = { .got = 0 };
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p.fd), 0);
	fiber_main(writer, &p);
	assert_int_equal(p.rc, 1);
	assert_int_equal(p.got, 5000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_discard_bounded), cmocka_unit_test(test_unread_and_exact),
		cmocka_unit_test(test_large_writes), cmocka_unit_test(test_socket_without_loop),
		cmocka_unit_test(test_peer), cmocka_unit_test(test_bulk),
	};
	log_init("merpati/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
