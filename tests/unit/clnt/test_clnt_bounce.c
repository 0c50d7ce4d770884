/* Unit test of lib/clnt/clnt_bounce.c: what is sent, in which pieces, and how bad answers are
 * taken. */
#include "lib/clnt/clnt_bounce.h"
#include "tests/support/t.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"

#define MANY 150

enum mode { GOOD, REFUSE, CLOSE, WRONG };

static struct world {
	enum mode mode;
	int requests;
	size_t items;
	size_t longest;
	bool got_fd;
	int rc[4];
	char text[4][64];
} world;

static int serve_one(struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e)
{
	if (f->type == MSG_bounce_append) {
		struct msg_bounce_append m;
		if (msg_bounce_append_from(f, a, &m, e) != 1)
			return -1;
		world.items += m.offsets.n;
		for (size_t i = 0; i < m.texts.n; i++)
			if (m.texts.v[i].len > world.longest)
				world.longest = m.texts.v[i].len;
	}
	if (f->type == MSG_bounce_flush)
		world.got_fd = f->nfds == 1;
	const struct msg_bounce_outcome m = { .ok = world.mode != REFUSE, .text = SV("disk full") };
	return msg_bounce_outcome_send(c, &m, f->request_id, NULL, 0, fiber_deadline(1000), e);
}

static void server(void *arg)
{
	struct ipc_conn *c = arg;
	struct ipc_frame f;
	struct err e;
	struct arena a;
	int rc = 1;
	arena_init(&a, 8 << 20);
	while (rc == 1 && ipc_recv(c, &f, fiber_deadline(5000), &e) == 1) {
		world.requests++;
		if (world.mode == CLOSE)
			break;
		if (world.mode == WRONG)
			rc = ipc_send(c, MSG_bounce_PROTOCOL, MSG_bounce_VERSION, 99, f.request_id,
			        SV_NONE, NULL, 0, fiber_deadline(1000), &e);
		else
			rc = serve_one(c, &f, &a, &e);
		arena_reset(&a);
	}
	arena_free(&a);
	ipc_conn_free(c);
}

static int dial(void *ctx, const char *endpoint, int64_t deadline, struct err *e)
{
	int fd[2];
	(void)ctx;
	(void)endpoint;
	(void)deadline;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
		return err_set(e, ERR_TEMP, "socketpair");
	if (!fiber_spawn("server", 0, server, ipc_conn_new(fd[1])))
		return err_set(e, ERR_TEMP, "fiber");
	return fd[0];
}

static void note(size_t step, int rc, const struct err *e)
{
	world.rc[step] = rc;
	snprintf(world.text[step], sizeof(world.text[step]), "%s", e->text);
}

static void script(void *arg)
{
	struct ipc_pool *p = ipc_pool_new("bounce", 2, dial, NULL);
	struct clnt_bounce_item *items = mem_array(MANY, sizeof(*items));
	char *z = mem_alloc(100000);
	const struct clnt_bounce_mail mail = { .queue_id = SV("4bcDFG123z"), .sender = SV("a@x") };
	struct err e = ERR_INIT;
	int fd = dup(0);
	(void)arg;
	memset(z, 'x', 99999);
	for (size_t i = 0; i < MANY; i++)
		items[i] = (struct clnt_bounce_item){ .offset = i,
			.recipient = SV("b@x"),
			.original = SV("b@x"),
			.orcpt = SV(""),
			.action = SV("failed"),
			.dsn = SV("5.1.1"),
			.text = sv_n(z, 99999),
			.remote_mta = SV(""),
			.diagnostic = SV("") };
	note(0,
	        clnt_bounce_append(
	                p, "bounce", SV("4bcDFG123z"), 7, items, MANY, 1, fiber_deadline(2000), &e),
	        &e);
	note(1, clnt_bounce_flush(p, "bounce", &mail, fd, fiber_deadline(2000), &e), &e);
	note(2, clnt_bounce_forget(p, "defer", SV("4bcDFG123z"), fiber_deadline(2000), &e), &e);
	close(fd);
	free(z);
	free(items);
	ipc_pool_free(p);
	fiber_stop(0);
}

static void run(enum mode mode)
{
	world = (struct world){ .mode = mode };
	assert_int_equal(fiber_main(script, NULL), 0);
}

static void good(void **state)
{
	(void)state;
	run(GOOD);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world.rc[i], 1);
	/* in pieces that fit in a frame, with texts cut */
	assert_int_equal(world.items, MANY);
	assert_int_equal(world.requests, 3 + 2);
	assert_int_equal(world.longest, 2000);
	assert_true(world.got_fd);
}

static void refused(void **state)
{
	(void)state;
	run(REFUSE);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(world.rc[i], -1);
		assert_string_equal(world.text[i], "bounce: disk full");
	}
}

static void bad_peers(void **state)
{
	(void)state;
	run(CLOSE);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world.rc[i], -1);
	run(WRONG);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world.rc[i], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(refused),
		cmocka_unit_test(bad_peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
