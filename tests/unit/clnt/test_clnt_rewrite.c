/* Unit test of lib/clnt/clnt_rewrite.c: against a server in a fiber that answers well or badly. */
#include "lib/clnt/clnt_rewrite.h"
#include "tests/support/t.h"

#include <sys/socket.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"

enum mode { GOOD, SHORT, REFUSE, CLOSE, WRONG_TYPE };

static struct world {
	enum mode mode;
	int requests;
	size_t asked; /* addresses in them */
	/* what the client saw */
	int rc[8];
	char text[8][64];
	uint32_t flags[8];
	int requests_at[8];
} world;

static int answer_rewrite(
        struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_rewrite_rewrite q;
	if (msg_rewrite_rewrite_from(f, a, &q, e) != 1)
		return -1;
	world.asked += q.addresses.n;
	struct msg_rewrite_rewritten m = { .ok = world.mode != REFUSE, .error = SV("no table") };
	m.addresses.n =
	        world.mode == SHORT && q.addresses.n > 0 ? q.addresses.n - 1 : q.addresses.n;
	m.addresses.v = arena_array(a, q.addresses.n + 1, sizeof(struct sv));
	for (size_t i = 0; i < q.addresses.n; i++)
		m.addresses.v[i] = sv_z(
		        arena_printf(a, "%.*s:%.*s", SV_ARG(q.context), SV_ARG(q.addresses.v[i])));
	return msg_rewrite_rewritten_send(c, &m, f->request_id, NULL, 0, fiber_deadline(1000), e);
}

static int answer_resolve(
        struct ipc_conn *c, const struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_rewrite_resolve q;
	if (msg_rewrite_resolve_from(f, a, &q, e) != 1)
		return -1;
	size_t n = q.addresses.n;
	world.asked += n;
	struct sv *transports = arena_array(a, n + 1, sizeof(struct sv));
	uint32_t *flags = arena_array(a, n + 1, sizeof(uint32_t)),
	         *classes = arena_array(a, n + 1, sizeof(uint32_t));
	for (size_t i = 0; i < n; i++) {
		transports[i] = SV("local");
		flags[i] = sv_starts(q.addresses.v[i], SV("temp")) ? REWRITE_TEMP : 0;
	}
	struct msg_rewrite_resolved m = { .transports = { transports, n },
		.nexthops = { transports, n },
		.recipients = { q.addresses.v, n },
		.flags = { flags, world.mode == SHORT ? n - 1 : n },
		.classes = { classes, n } };
	return msg_rewrite_resolved_send(c, &m, f->request_id, NULL, 0, fiber_deadline(1000), e);
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
		if (world.mode == WRONG_TYPE)
			rc = ipc_send(c, MSG_rewrite_PROTOCOL, MSG_rewrite_VERSION, 99,
			        f.request_id, SV_NONE, NULL, 0, fiber_deadline(1000), &e);
		else
			rc = f.type == MSG_rewrite_rewrite ? answer_rewrite(c, &f, &a, &e)
			                                   : answer_resolve(c, &f, &a, &e);
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

static void rewrite(struct clnt_rewrite *c, size_t step, const char *context, const char *addr)
{
	struct arena a;
	struct sv out = SV_NONE;
	struct err e = ERR_INIT;
	arena_init(&a, 1 << 20);
	world.rc[step] =
	        clnt_rewrite_addr(c, context, sv_z(addr), &a, &out, fiber_deadline(2000), &e);
	snprintf(world.text[step], sizeof(world.text[step]), "%.*s",
	        SV_ARG(world.rc[step] == 1 ? out : sv_z(e.text)));
	world.requests_at[step] = world.requests;
	arena_free(&a);
}

static void resolve(struct clnt_rewrite *c, size_t step, const char *addr)
{
	struct arena a;
	struct clnt_resolved out = { .flags = 0 };
	struct err e = ERR_INIT;
	arena_init(&a, 1 << 20);
	world.rc[step] =
	        clnt_resolve_addr(c, SV("from@x"), sv_z(addr), &a, &out, fiber_deadline(2000), &e);
	world.flags[step] = out.flags;
	world.requests_at[step] = world.requests;
	arena_free(&a);
}

static void cached_script(void *arg)
{
	struct ipc_pool *p = ipc_pool_new("rewrite", 2, dial, NULL);
	struct clnt_rewrite *c = clnt_rewrite_new(p);
	(void)arg;
	rewrite(c, 0, "local", "u");
	rewrite(c, 1, "local", "u");
	rewrite(c, 2, "remote", "u");
	resolve(c, 3, "u");
	resolve(c, 4, "u");
	resolve(c, 5, "temp@x");
	resolve(c, 6, "temp@x");
	clnt_rewrite_free(c);
	ipc_pool_free(p);
	fiber_stop(0);
}

static void answers_and_cache(void **state)
{
	(void)state;
	world = (struct world){ .mode = GOOD };
	assert_int_equal(fiber_main(cached_script, NULL), 0);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(world.rc[i], 1);
	assert_string_equal(world.text[0], "local:u");
	assert_string_equal(world.text[1], "local:u");
	assert_string_equal(world.text[2], "remote:u");
	/* contexts and questions do not mix; temporary failures are asked again */
	static const int want[] = { 1, 1, 2, 3, 3, 4, 5 };
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(world.requests_at[i], want[i]);
	assert_int_equal(world.flags[6], REWRITE_TEMP);
}

static void bad_script(void *arg)
{
	struct ipc_pool *p = ipc_pool_new("rewrite", 2, dial, NULL);
	struct clnt_rewrite *c = clnt_rewrite_new(p);
	(void)arg;
	rewrite(c, 0, "local", "u");
	resolve(c, 1, "u");
	clnt_rewrite_free(c);
	ipc_pool_free(p);
	fiber_stop(0);
}

static void bad_answers_are_temporary(void **state)
{
	(void)state;
	static const enum mode modes[] = { SHORT, CLOSE, WRONG_TYPE };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		world = (struct world){ .mode = modes[i] };
		assert_int_equal(fiber_main(bad_script, NULL), 0);
		assert_int_equal(world.rc[0], -1);
		assert_int_equal(world.rc[1], -1);
	}
	world = (struct world){ .mode = REFUSE };
	assert_int_equal(fiber_main(bad_script, NULL), 0);
	assert_int_equal(world.rc[0], -1);
	assert_string_equal(world.text[0], "rewrite: no table");
}

#define MANY 1234

static void many_script(void *arg)
{
	struct ipc_pool *p = ipc_pool_new("rewrite", 2, dial, NULL);
	struct clnt_rewrite *c = clnt_rewrite_new(p);
	static char names[MANY][16];
	struct sv addrs[MANY], *out;
	struct arena a;
	struct err e = ERR_INIT;
	(void)arg;
	arena_init(&a, 8 << 20);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "u%zu", i);
		addrs[i] = sv_z(names[i]);
	}
	world.rc[0] =
	        clnt_rewrite_addrs(c, "local", addrs, MANY, &a, &out, fiber_deadline(5000), &e);
	world.rc[1] = 1;
	for (size_t i = 0; i < MANY && world.rc[0] == 1; i++) {
		char want[32];
		snprintf(want, sizeof(want), "local:u%zu", i);
		if (!sv_eqz(out[i], want))
			world.rc[1] = -1;
	}
	arena_free(&a);
	clnt_rewrite_free(c);
	ipc_pool_free(p);
	fiber_stop(0);
}

static void many_addresses_in_order(void **state)
{
	(void)state;
	world = (struct world){ .mode = GOOD };
	assert_int_equal(fiber_main(many_script, NULL), 0);
	assert_int_equal(world.rc[0], 1);
	assert_int_equal(world.rc[1], 1);
	assert_int_equal(world.asked, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_and_cache),
		cmocka_unit_test(bad_answers_are_temporary),
		cmocka_unit_test(many_addresses_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
