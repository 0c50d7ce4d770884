/* Unit test of lib/clnt/clnt_cleanup.c against a peer on another fiber; results are looked at afterwards. */
#include "tests/support/t.h"

#include <sys/socket.h>

#include "lib/clnt/clnt_cleanup.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"

enum peer_mode { ANSWER, REFUSE_OPEN, CLOSE_AT_OPEN, CLOSE_AT_END, BAD_VERDICT };

struct peer {
	enum peer_mode mode;
	unsigned dialled, close_first; /* that many connections die at open */
	unsigned opens, rcpts, pieces;
	size_t octets;
	char first[16];
};

static struct peer peer;

static bool on_frame(struct ipc_conn *c, const struct ipc_frame *f, struct arena *a)
{
	struct err e = ERR_INIT;
	struct msg_cleanup_data data;
	struct msg_cleanup_opened opened = { .ok = peer.mode != REFUSE_OPEN, .queue_id = SV("ID1"),
		.text = SV("no room") };
	struct msg_cleanup_result result = { .status = peer.mode == BAD_VERDICT ? 9 : CLEANUP_TEMP,
		.dsn = SV("4.3.1"), .text = SV("disk full"), .queue_id = SV("ID1"), .smtp_code = 452 };
	int64_t deadline = fiber_deadline(5000);
	switch (f->type) {
	case MSG_cleanup_open:
		peer.opens++;
		if (peer.mode == CLOSE_AT_OPEN || peer.close_first > 0) {
			peer.close_first -= peer.close_first > 0;
			return false;
		}
		return msg_cleanup_opened_send(c, &opened, 0, NULL, 0, deadline, &e) == 1;
	case MSG_cleanup_rcpt: peer.rcpts++; return true;
	case MSG_cleanup_data:
		if (msg_cleanup_data_from(f, a, &data, &e) != 1)
			return false;
		peer.pieces++;
		peer.octets += data.octets.len;
		return true;
	case MSG_cleanup_end:
		if (peer.mode == CLOSE_AT_END)
			return false;
		return msg_cleanup_result_send(c, &result, 0, NULL, 0, deadline, &e) == 1;
	default: return false;
	}
}

static void serve(void *arg)
{
	int *fd = arg;
	struct ipc_conn *c = ipc_conn_new(*fd);
	struct ipc_frame f;
	struct err e = ERR_INIT;
	struct arena a;
	free(fd);
	arena_init(&a, 1 << 20);
	while (ipc_recv(c, &f, fiber_deadline(5000), &e) == 1 && on_frame(c, &f, &a))
		arena_reset(&a);
	arena_free(&a);
	ipc_conn_free(c);
}

static int dial(UNUSED void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline, struct err *e)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(e, ERR_TEMP, "socketpair");
	int *fd = mem_alloc(sizeof(*fd));
	*fd = ends[1];
	peer.dialled++;
	return fiber_spawn("peer", 0, serve, fd) ? ends[0] : -1;
}

struct outcome {
	int open, rcpt, data, end;
	struct clnt_cleanup_result r;
	char dsn[16], text[32], id[16];
	struct err e;
	bool still_open;
};

static struct outcome got[2];

static void transaction(struct clnt_cleanup *c, struct outcome *o)
{
	static char piece[100000];
	struct clnt_cleanup_open open = { .sender = SV("a@b.test"), .uid = -1 };
	struct clnt_cleanup_rcpt rcpt = { .address = SV("c@d.test") };
	o->open = clnt_cleanup_open(c, &open, &o->e);
	if (o->open < 0)
		return;
	snprintf(o->id, sizeof(o->id), "%s", clnt_cleanup_id(c));
	o->rcpt = clnt_cleanup_rcpt(c, &rcpt, &o->e);
	for (int i = 0; i < 1000 && o->data == 0; i++)
		o->data = clnt_cleanup_data(c, SV("line\n"), &o->e);
	if (o->data == 0)
		o->data = clnt_cleanup_data(c, sv_n(piece, sizeof(piece)), &o->e);
	o->end = clnt_cleanup_end(c, &o->r, &o->e);
	if (o->end == 0) {
		snprintf(o->dsn, sizeof(o->dsn), "%s", o->r.dsn);
		snprintf(o->text, sizeof(o->text), "%s", o->r.text);
	}
	o->still_open = clnt_cleanup_is_open(c);
}

static void run(UNUSED void *arg)
{
	struct ipc_pool *pool = ipc_pool_new("cleanup", 4, dial, NULL);
	struct clnt_cleanup *c = clnt_cleanup_new(pool, 5000);
	for (size_t i = 0; i < ARRAY_LEN(got); i++)
		transaction(c, &got[i]);
	clnt_cleanup_free(c);
	ipc_pool_free(pool);
	fiber_stop(0);
}

static void go(enum peer_mode mode, unsigned close_first)
{
	peer = (struct peer){ .mode = mode, .close_first = close_first };
	memset(got, 0, sizeof(got));
	assert_int_equal(fiber_main(run, NULL), 0);
}

static void two_mails_over_one_connection(UNUSED void **state)
{
	go(ANSWER, 0);
	for (size_t i = 0; i < ARRAY_LEN(got); i++) {
		assert_int_equal(got[i].end, 0);
		assert_string_equal(got[i].id, "ID1");
		assert_int_equal(got[i].r.status, CLEANUP_TEMP);
		assert_int_equal(got[i].r.smtp_code, 452);
		assert_string_equal(got[i].dsn, "4.3.1");
		assert_string_equal(got[i].text, "disk full");
		assert_false(got[i].still_open);
	}
	assert_int_equal(peer.dialled, 1);
	assert_int_equal(peer.rcpts, 2);
	assert_int_equal(peer.octets, 2 * (5000 + 100000));
	assert_int_equal(peer.pieces, 2 * 2); /* the small ones were sent together */
}

static void a_dead_connection_is_replaced_at_open(UNUSED void **state)
{
	go(ANSWER, 1);
	assert_int_equal(got[0].end, 0);
	assert_int_equal(got[1].end, 0);
	assert_int_equal(peer.dialled, 2);
}

static void trouble_is_an_error(UNUSED void **state)
{
	go(REFUSE_OPEN, 0);
	assert_int_equal(got[0].open, -1);
	assert_int_equal(got[0].e.cls, ERR_TEMP);
	assert_non_null(strstr(got[0].e.text, "no room"));
	go(CLOSE_AT_OPEN, 0);
	assert_int_equal(got[0].open, -1);
	go(CLOSE_AT_END, 0);
	assert_int_equal(got[0].end, -1);
	assert_int_equal(got[0].e.cls, ERR_TEMP);
	assert_int_equal(got[1].end, -1);
	assert_int_equal(peer.dialled, 2);
	go(BAD_VERDICT, 0);
	assert_int_equal(got[0].end, -1);
}

static void nothing_goes_without_open(UNUSED void **state)
{
	struct ipc_pool *pool = ipc_pool_new("cleanup", 1, dial, NULL);
	struct clnt_cleanup *c = clnt_cleanup_new(pool, 100);
	struct clnt_cleanup_result r;
	struct err e = ERR_INIT;
	assert_int_equal(clnt_cleanup_data(c, SV("x"), &e), -1);
	assert_int_equal(clnt_cleanup_end(c, &r, &e), -1);
	assert_int_equal(e.cls, ERR_BUG);
	clnt_cleanup_abort(c);
	clnt_cleanup_free(c);
	clnt_cleanup_free(NULL);
	ipc_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_mails_over_one_connection),
		cmocka_unit_test(a_dead_connection_is_replaced_at_open),
		cmocka_unit_test(trouble_is_an_error),
		cmocka_unit_test(nothing_goes_without_open),
	};
	return cmocka_run_group_tests_name("clnt_cleanup", tests, NULL, NULL);
}
