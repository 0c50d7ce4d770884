/* Unit test of lib/ipc/conn.c: frames and descriptors over a socketpair, whole, in pieces, and broken. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/sys/log.h"

static int raw;             /* the test's end, octets */
static struct ipc_conn *c;  /* the end under test */
static struct ipc_conn *d;  /* RAW as a connection */

static int setup(void **state)
{
	int p[2];
	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	c = ipc_conn_new(p[0]);
	raw = p[1];
	d = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ipc_conn_free(c);
	if (d)
		ipc_conn_free(d);
	else
		close(raw);
	return 0;
}

static int64_t soon(void)
{
	return fiber_deadline(1000);
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_frames(void **state)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	(void)state;
	d = ipc_conn_new(raw);
	assert_int_equal(ipc_send(d, 7, 1, 2, 99, SV("hello"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_send(d, 7, 1, 3, 100, SV_NONE, NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.protocol, 7);
	assert_int_equal(f.version, 1);
	assert_int_equal(f.type, 2);
	assert_int_equal(f.request_id, 99);
	assert_int_equal(f.nfds, 0);
	t_assert_sv(f.body, "hello");
	assert_true(ipc_pending(c));
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.type, 3);
	t_assert_sv(f.body, "");
	assert_false(ipc_pending(c));
	assert_int_equal(ipc_recv(c, &f, fiber_deadline(2), &e), -1);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	/* a receive that was too early does no harm */
	assert_int_equal(ipc_send(d, 7, 1, 4, 0, SV("x"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	ipc_conn_free(d);
	int p[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	d = ipc_conn_new(p[1]);
	close(p[0]);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 0);
}

/* A frame with descriptors behind one without: each gets its own. */
static void test_descriptors(void **state)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int p[2];
	(void)state;
	unsigned before = open_fds();
	d = ipc_conn_new(raw);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(ipc_send(d, 1, 1, 1, 0, SV("none"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_send(d, 1, 1, 2, 0, SV("two"), p, 2, soon(), &e), 1);
	assert_int_equal(ipc_send(d, 1, 1, 3, 0, SV("one"), p, 1, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.nfds, 0);
	assert_int_equal(ipc_take_fd(&f, 0), -1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.nfds, 2);
	int fd = ipc_take_fd(&f, 1);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ipc_take_fd(&f, 1), -1);
	assert_int_equal(write(fd, "k", 1), 1);
	char got = 0;
	assert_int_equal(read(p[0], &got, 1), 1);
	assert_int_equal(got, 'k');
	/* number 0 was not taken: the next receive closes it */
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.nfds, 1);
	assert_int_equal(ipc_recv(c, &f, fiber_deadline(1), &e), -1);
	close(fd);
	close(p[0]);
	close(p[1]);
	assert_int_equal(open_fds(), before);
}

/* Corked frames go out together: by uncork, before a receive, or when there are too many. */
static void test_cork(void **state)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	static char large[40000];
	(void)state;
	d = ipc_conn_new(raw);
	ipc_cork(d);
	assert_int_equal(ipc_send(d, 7, 1, 1, 0, SV("one"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_send(d, 7, 1, 2, 0, SV("two"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, fiber_deadline(1), &e), -1);
	assert_int_equal(ipc_uncork(d, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	t_assert_sv(f.body, "one");
	assert_true(ipc_pending(c));
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.type, 2);
	ipc_cork(d);
	assert_int_equal(ipc_send(d, 7, 1, 3, 0, sv_n(large, sizeof(large)), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, fiber_deadline(1), &e), -1);
	assert_int_equal(ipc_send(d, 7, 1, 4, 0, sv_n(large, sizeof(large)), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.type, 3);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.body.len, sizeof(large));
	assert_int_equal(ipc_send(d, 7, 1, 5, 0, SV("q"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_recv(d, &f, fiber_deadline(1), &e), -1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.type, 5);
	/* a descriptor does not wait, and takes what waits with it */
	assert_int_equal(ipc_send(d, 7, 1, 6, 0, SV("a"), NULL, 0, soon(), &e), 1);
	assert_int_equal(ipc_send(d, 7, 1, 7, 0, SV("b"), &raw, 1, soon(), &e), 1);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.nfds, 0);
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	assert_int_equal(f.nfds, 1);
}

static void put(const char *octets, size_t n)
{
	assert_int_equal(write(raw, octets, n), (ssize_t)n);
}

static void test_in_pieces(void **state)
{
	static const char frame[] = "\x0e\0\0\0\7\0\1\0\2\0\0\0\1\0\0\0hi";
	struct ipc_frame f;
	struct err e = ERR_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof(frame) - 1; i++) {
		assert_int_equal(ipc_recv(c, &f, fiber_deadline(0), &e), -1);
		put(frame + i, 1);
	}
	assert_int_equal(ipc_recv(c, &f, soon(), &e), 1);
	t_assert_sv(f.body, "hi");
}

static void test_broken(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
		bool close_after;
	} cases[] = {
		{ L("\0\0\0\0\7\0\1\0\2\0\0\0\1\0\0\0"), false },           /* too short */
		{ L("\xff\xff\xff\xff\7\0\1\0\2\0\0\0\1\0\0\0"), false },   /* 4 GB */
		{ L("\xfd\xff\x0f\0\7\0\1\0\2\0\0\0\1\0\0\0"), false },     /* one over the ceiling */
		{ L("\x0c\0\0\0\7\0\1\1\2\0\0\0\1\0\0\0"), false },         /* fd announced, none came */
		{ L("\x0c\0\0\0\7\0\1\xff\2\0\0\0\1\0\0\0"), false },       /* 255 of them */
		{ L("\x0c\0\0\0\7\0\1\0\2\0\1\0\1\0\0\0"), false },         /* reserved octets */
		{ L("\x0e\0\0\0\7\0\1\0\2\0\0\0\1\0\0\0h"), true },         /* ends inside */
		{ L("\x0e\0\0"), true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipc_frame f;
		struct err e = ERR_INIT;
		put(cases[i].octets, cases[i].len);
		if (cases[i].close_after)
			shutdown(raw, SHUT_WR);
		if (ipc_recv(c, &f, soon(), &e) != -1 || e.cls != ERR_TEMP)
			fail_msg("case %zu was taken", i);
		assert_int_equal(ipc_recv(c, &f, soon(), &e), -1);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

/* Descriptors that no frame announces: a few are kept for a frame to come, a flood ends the connection. */
static void test_descriptor_flood(void **state)
{
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)state;
	unsigned before = open_fds();
	int rc = -1;
	for (int i = 0; i < 20; i++) {
		char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
		struct iovec iov = { (void *)(uintptr_t) "\x0c\0\0\0\7\0\1\0\2\0\0\0\1\0\0\0", 16 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			.msg_controllen = sizeof(space) };
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &null, sizeof(null));
		assert_int_equal(sendmsg(raw, &m, 0), 16);
		rc = ipc_recv(c, &f, soon(), &e);
		if (rc < 0)
			break;
	}
	assert_int_equal(rc, -1);
	ipc_conn_free(c);
	c = NULL;
	assert_int_equal(open_fds(), before - 1);
	close(null);
}

/* --- both directions at once, two senders, large frames ------------------------------------------- */

#define LARGE (300 * 1000)

struct talk {
	struct ipc_conn *a, *b;
	int sent, received, wrong;
};

static void sender(void *arg)
{
	struct talk *t = arg;
	struct err e;
	char *block = mem_alloc(LARGE);
	memset(block, 'x', LARGE);
	for (int i = 0; i < 5; i++)
		t->sent += ipc_send(t->a, 1, 1, 1, 0, sv_n(block, LARGE - (size_t)i), NULL, 0,
				   fiber_deadline(5000), &e) == 1;
	free(block);
}

static void receiver(void *arg)
{
	struct talk *t = arg;
	struct ipc_frame f;
	struct err e;
	while (t->received < 10 && ipc_recv(t->b, &f, fiber_deadline(5000), &e) == 1) {
		t->received++;
		if (f.body.len < LARGE - 5 || f.body.p[f.body.len - 1] != 'x')
			t->wrong++;
	}
	fiber_stop(0);
}

static void talk_main(void *arg)
{
	if (!fiber_spawn("receiver", 0, receiver, arg) || !fiber_spawn("sender", 0, sender, arg) ||
		!fiber_spawn("sender", 0, sender, arg))
		fiber_stop(1);
}

static void test_senders_do_not_mix(void **state)
{
	(void)state;
	d = ipc_conn_new(raw);
	struct talk t = { .a = c, .b = d };
	assert_int_equal(fiber_main(talk_main, &t), 0);
	assert_int_equal(t.sent, 10);
	assert_int_equal(t.received, 10);
	assert_int_equal(t.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptor_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_senders_do_not_mix, setup, teardown),
	};
	log_init("merpati/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
