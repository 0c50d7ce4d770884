/* Unit test of lib/clnt/clnt_qmgr.c: against a qmgr in a fiber that answers, is silent, or is gone.
 */
#include "lib/clnt/clnt_qmgr.h"
#include "tests/support/t.h"

#include <sys/socket.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"

enum mode { GOOD, SILENT, CLOSE, ABSENT, WRONG };

static struct world {
	enum mode mode;
	int credits_asked;
	char arrived[64];
	size_t nsites, nids;
	int rc[16];
	int64_t took_ms[16];
	char text[16][64];
} world;

static int serve_one(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	if (f->type == MSG_qmgr_want_credit) {
		const struct msg_qmgr_credit m = { .mails = 2 };
		world.credits_asked++;
		if (world.mode == SILENT)
			return 1;
		return msg_qmgr_credit_send(c, &m, f->request_id, NULL, 0, fiber_deadline(1000), e);
	}
	if (f->type == MSG_qmgr_arrived) {
		struct msg_qmgr_arrived m;
		if (msg_qmgr_arrived_from(f, a, &m, e) != 1)
			return -1;
		snprintf(world.arrived, sizeof(world.arrived), "%.*s", SV_ARG(m.queue_id));
		return 1;
	}
	struct msg_qmgr_flush m;
	if (msg_qmgr_flush_from(f, a, &m, e) != 1)
		return -1;
	world.nsites = m.sites.n;
	world.nids = m.queue_ids.n;
	const struct msg_qmgr_accepted answer = { .ok = m.sites.n != 3, .text = SV("too much") };
	return msg_qmgr_accepted_send(c, &answer, f->request_id, NULL, 0, fiber_deadline(1000), e);
}

static void server(void *arg)
{
	struct ipc_conn *c = arg;
	struct ipc_frame f;
	struct err e;
	struct arena a;
	int rc = 1;
	arena_init(&a, 1 << 20);
	while (rc == 1 && world.mode != CLOSE && ipc_recv(c, &f, fiber_deadline(5000), &e) == 1) {
		if (world.mode == WRONG)
			rc = ipc_send(c, MSG_qmgr_PROTOCOL, MSG_qmgr_VERSION, 99, f.request_id,
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
	if (world.mode == ABSENT)
		return err_set(e, ERR_TEMP, "nobody there");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
		return err_set(e, ERR_TEMP, "socketpair");
	if (!fiber_spawn("server", 0, server, ipc_conn_new(fd[1])))
		return err_set(e, ERR_TEMP, "fiber");
	return fd[0];
}

static void note(size_t step, int rc, int64_t since, const struct err *e)
{
	world.rc[step] = rc;
	world.took_ms[step] = clock_mono_ms() - since;
	snprintf(world.text[step], sizeof(world.text[step]), "%s", e->text);
}

static void script(void *arg)
{
	struct ipc_pool *p = ipc_pool_new("qmgr", 2, dial, NULL);
	struct clnt_qmgr *q = clnt_qmgr_new(p);
	struct err e = ERR_INIT;
	struct sv list[3] = { SV("a"), SV("b"), SV("c") };
	(void)arg;
	int64_t t = clock_mono_ms();
	note(0, clnt_qmgr_credit(q, 300, &e), t, &e);
	note(1, clnt_qmgr_credit(q, 300, &e), t, &e);
	note(2, clnt_qmgr_credit(q, 0, &e), t, &e);
	t = clock_mono_ms();
	note(3, clnt_qmgr_arrived(q, SV("4bcDFG123z"), &e), t, &e);
	note(4, clnt_qmgr_flush(q, NULL, 0, list, 2, fiber_deadline(500), &e), t, &e);
	note(5, clnt_qmgr_flush(q, list, 3, NULL, 0, fiber_deadline(500), &e), t, &e);
	fiber_yield();
	clnt_qmgr_free(q);
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
	/* two credits came with one question; the third call may not wait */
	assert_int_equal(world.credits_asked, 1);
	assert_int_equal(world.rc[0], 1);
	assert_int_equal(world.rc[1], 1);
	assert_int_equal(world.rc[2], 0);
	assert_int_equal(world.rc[3], 1);
	assert_string_equal(world.arrived, "4bcDFG123z");
	assert_int_equal(world.rc[4], 1);
	assert_int_equal(world.rc[5], 0);
	assert_string_equal(world.text[5], "too much");
}

static void behind(void **state)
{
	(void)state;
	run(SILENT);
	/* no credit in time: go on, and never wait longer than asked */
	assert_int_equal(world.rc[0], 0);
	assert_true(world.took_ms[0] >= 250 && world.took_ms[0] < 3000);
}

static void gone(void **state)
{
	(void)state;
	static const enum mode modes[] = { CLOSE, ABSENT, WRONG };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		run(modes[i]);
		assert_int_equal(world.rc[0], -1);
		assert_true(world.took_ms[0] < 250);
		assert_int_equal(world.rc[4], -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(behind),
		cmocka_unit_test(gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
