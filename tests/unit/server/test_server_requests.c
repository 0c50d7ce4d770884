/* Unit test of lib/server/server_requests.c: one request after the other; what is not understood ends it. */
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/server/server_requests.h"
#include "tests/support/t.h"

static char wrong[500];

#define EXPECT(cond)                                                                    \
	do {                                                                            \
		if (!(cond) && !wrong[0])                                               \
			snprintf(wrong, sizeof(wrong), "line %d: %s", __LINE__, #cond); \
	} while (0)

static unsigned answered;

static int answer(void *ctx, struct ipc_conn *c, struct ipc_frame *f, struct arena *a, struct err *e)
{
	struct msg_authworker_find q;
	if (f->type != MSG_authworker_find)
		return err_set(e, ERR_PERM, "unexpected message type %u", f->type);
	if (msg_authworker_find_decode(f->body, a, &q, e) < 0)
		return -1;
	answered++;
	struct msg_authworker_found r = { .status = 1, .name = q.name, .home = sv_z(ctx) };
	return msg_authworker_found_send(c, &r, f->request_id, NULL, 0, fiber_deadline(5000), e);
}

static const struct server_requests_def def = { .protocol = MSG_authworker_PROTOCOL, .arena_max = 4096,
	.answer = answer };

static void run_serve(void *fd)
{
	static char ctx[] = "/home/x";
	server_requests(&def, ctx, (int)(intptr_t)fd, NULL);
}

static struct ipc_conn *dial(void)
{
	int sv[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0 ||
		!fiber_spawn("serve", 0, run_serve, (void *)(intptr_t)sv[1]))
		abort();
	return ipc_conn_new(sv[0]);
}

static int ask(struct ipc_conn *c, const char *name)
{
	struct msg_authworker_find q = { .name = sv_z(name) };
	struct msg_authworker_found r;
	struct ipc_frame f;
	struct arena a;
	struct err e = ERR_INIT;
	arena_init(&a, 8192);
	int rc = msg_authworker_find_send(c, &q, 7, NULL, 0, fiber_deadline(5000), &e);
	if (rc >= 0)
		rc = ipc_recv(c, &f, fiber_deadline(5000), &e);
	if (rc == 1)
		EXPECT(f.request_id == 7 && msg_authworker_found_decode(f.body, &a, &r, &e) >= 0 &&
			sv_eqz(r.name, name) && sv_eqz(r.home, "/home/x"));
	arena_free(&a);
	return rc;
}

static void run_all(UNUSED void *arg)
{
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct ipc_conn *c = dial();
	for (int i = 0; i < 3; i++)
		EXPECT(ask(c, "anna") == 1);
	EXPECT(answered == 3);
	/* a type that .answer() does not know; another protocol; an arena's worth too much */
	EXPECT(ipc_send(c, MSG_authworker_PROTOCOL, 1, 99, 1, SV_NONE, NULL, 0, fiber_deadline(5000), &e) >= 0);
	EXPECT(ipc_recv(c, &f, fiber_deadline(5000), &e) == 0);
	ipc_conn_free(c);
	c = dial();
	EXPECT(ipc_send(c, MSG_auth_PROTOCOL, 1, MSG_authworker_find, 1, SV_NONE, NULL, 0, fiber_deadline(5000), &e) >=
		0);
	EXPECT(ipc_recv(c, &f, fiber_deadline(5000), &e) == 0);
	ipc_conn_free(c);
	EXPECT(answered == 3);
	fiber_stop(0);
}

static void serves(UNUSED void **state)
{
	assert_int_equal(fiber_main(run_all, NULL), 0);
	assert_string_equal(wrong, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(serves) };
	return cmocka_run_group_tests_name("server_requests", tests, NULL, NULL);
}
