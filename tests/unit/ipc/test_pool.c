/* Unit test of lib/ipc/pool.c: reuse, replacement of broken connections, places, what must not be reused. */
#include "tests/support/t.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/* The service: each dialled connection is served by a fiber that answers as MODE says. */
enum mode { ANSWER, CLOSE_AT_ONCE, CLOSE_AFTER_FIRST, OTHER_ID, OTHER_PROTOCOL, SILENT, GARBAGE };

static struct {
	enum mode mode;
	int dialled, served, refuse;
	char said[512];
} service;

static void serve(void *arg)
{
	struct ipc_conn *c = ipc_conn_new((int)(intptr_t)arg);
	struct ipc_frame f;
	struct err e;
	int here = 0;
	while (service.mode != CLOSE_AT_ONCE && ipc_recv(c, &f, fiber_deadline(20000), &e) == 1) {
		service.served++;
		if (service.mode == SILENT)
			continue;
		if (service.mode == GARBAGE) {
			if (write(ipc_conn_fd(c), "garbage garbage garbage", 23) < 0)
				break;
			continue;
		}
		if (service.mode == CLOSE_AFTER_FIRST && here > 0)
			break;
		here++;
		uint16_t protocol = service.mode == OTHER_PROTOCOL ? 8 : f.protocol;
		uint32_t id = service.mode == OTHER_ID ? f.request_id + 1 : f.request_id;
		if (ipc_send(c, protocol, 1, 2, id, f.body, NULL, 0, fiber_deadline(1000), &e) < 0)
			break;
	}
	ipc_conn_free(c);
}

static int dial(void *ctx, const char *endpoint, int64_t deadline, struct err *e)
{
	int p[2];
	(void)ctx;
	(void)endpoint;
	(void)deadline;
	if (service.refuse)
		return err_set(e, ERR_TEMP, "refused");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return err_sys(e, errno, "socketpair");
	if (!fiber_spawn("service", 0, serve, (void *)(intptr_t)p[1]))
		return err_set(e, ERR_TEMP, "fiber");
	service.dialled++;
	return p[0];
}

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
	size_t n = strlen(service.said);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(service.said + n, sizeof(service.said) - n, fmt, ap);
	va_end(ap);
}

static void call(struct ipc_pool *p, int64_t ms)
{
	struct arena a;
	struct ipc_frame r;
	struct err e = ERR_INIT;
	arena_init(&a, 65536);
	int rc = ipc_call(p, 7, 1, 1, SV("question"), &a, &r, fiber_deadline(ms), &e);
	say("%d%s ", rc, rc == 1 && sv_eqz(r.body, "question") ? "" : rc == 1 ? "?" : "");
	arena_free(&a);
}

static struct ipc_pool *pool;

static void run(fiber_fn fn, enum mode mode, unsigned max)
{
	memset(&service, 0, sizeof(service));
	service.mode = mode;
	pool = ipc_pool_new("service", max, dial, NULL);
	fiber_main(fn, NULL);
}

static void reuse_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		call(pool, 1000);
	ipc_pool_free(pool);
	fiber_stop(0);
}

static void test_reuse(void **state)
{
	(void)state;
	run(reuse_main, ANSWER, 4);
	assert_string_equal(service.said, "1 1 1 1 1 ");
	assert_int_equal(service.dialled, 1);
}

/* The second request on each connection meets a service that leaves: the call is made once more. */
static void test_repeated_on_reused_connection(void **state)
{
	(void)state;
	run(reuse_main, CLOSE_AFTER_FIRST, 4);
	assert_string_equal(service.said, "1 1 1 1 1 ");
	assert_int_equal(service.dialled, 5);
}

static void test_not_repeated_on_a_fresh_one(void **state)
{
	(void)state;
	run(reuse_main, CLOSE_AT_ONCE, 4);
	assert_string_equal(service.said, "-1 -1 -1 -1 -1 ");
	assert_int_equal(service.dialled, 5);
}

static void test_wrong_answers(void **state)
{
	static const enum mode modes[] = { OTHER_ID, OTHER_PROTOCOL, GARBAGE };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		run(reuse_main, modes[i], 4);
		assert_string_equal(service.said, "-1 -1 -1 -1 -1 ");
		assert_int_equal(service.dialled, 5);
	}
}

static void silent_main(void *arg)
{
	(void)arg;
	call(pool, 20);
	service.mode = ANSWER;
	call(pool, 1000); /* not on the connection whose answer is outstanding */
	service.refuse = 1;
	call(pool, 1000);
	ipc_pool_free(pool);
	fiber_stop(0);
}

static void test_deadline(void **state)
{
	(void)state;
	run(silent_main, SILENT, 1);
	assert_string_equal(service.said, "-1 1 1 ");
	assert_int_equal(service.dialled, 2);
}

static void refused_main(void *arg)
{
	(void)arg;
	service.refuse = 1;
	call(pool, 1000);
	call(pool, 1000); /* the place was given back */
	service.refuse = 0;
	call(pool, 1000);
	ipc_pool_free(pool);
	fiber_stop(0);
}

static void test_refused(void **state)
{
	(void)state;
	run(refused_main, ANSWER, 1);
	assert_string_equal(service.said, "-1 -1 1 ");
}

static void places_main(void *arg)
{
	struct err e = ERR_INIT;
	(void)arg;
	struct ipc_conn *a = ipc_pool_get(pool, fiber_deadline(1000), &e);
	struct ipc_conn *b = ipc_pool_get(pool, fiber_deadline(1000), &e);
	struct ipc_conn *c = ipc_pool_get(pool, fiber_deadline(5), &e);
	say("%d%d%d ", a != NULL, b != NULL, c != NULL);
	ipc_pool_put(pool, a, true);
	c = ipc_pool_get(pool, fiber_deadline(1000), &e);
	say("%d ", a == c);
	ipc_pool_put(pool, c, false);
	ipc_pool_put(pool, b, true);
	c = ipc_pool_get(pool, fiber_deadline(1000), &e);
	say("%d ", b == c);
	ipc_pool_free(pool);
	ipc_pool_put(pool, c, true); /* was still out: closed now */
	fiber_stop(0);
}

static void test_places(void **state)
{
	(void)state;
	run(places_main, ANSWER, 2);
	assert_string_equal(service.said, "110 1 1 ");
	assert_int_equal(service.dialled, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_repeated_on_reused_connection),
		cmocka_unit_test(test_not_repeated_on_a_fresh_one),
		cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_places),
	};
	log_init("merpati/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
