/*
 * Unit test of lib/deliver/deliver.c and deliver_mailbox.c: an agent behind a socketpair, the test is qmgr.
 * Everything runs without a loop: calls block, the agent is a child process.
 */
#include "tests/support/t.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/deliver/deliver_mailbox.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/ipc/msg.h"
#include "lib/queue/done_log.h"
#include "tests/support/tmpdir.h"

#define BODY "Subject: s\n\nbody\n"

struct rig {
	char *tmp;
	char mail_file[300], log_file[300], maildir[300];
	int qmgr; /* our end */
	pid_t agent;
};

static struct store *store;

static int decide(void *ctx, const struct deliver_request *rq, size_t rcpt,
        struct deliver_decision *out, struct err *e)
{
	struct sv who = rq->rcpts[rcpt].recipient;
	(void)ctx;
	if (sv_starts(who, SV("reject@"))) {
		*out = (struct deliver_decision){
			.verdict = DELIVER_REJECT, .dsn = DSN(5, 2, 2), .text = SV("full")
		};
	} else if (sv_starts(who, SV("folder@"))) {
		out->verdict = DELIVER_FOLDER;
		out->folder = SV("None.such");
	} else if (sv_starts(who, SV("redirect@"))) {
		out->verdict = DELIVER_REDIRECT;
		out->address = SV("elsewhere@b");
	} else if (sv_starts(who, SV("broken@"))) {
		return err_set(e, ERR_TEMP, "decider is away");
	}
	return 0;
}

/* The agent: mailbox delivery, but for a few names that show other results. */
static void handle(struct deliver_request *rq, void *ctx)
{
	const struct rig *g = ctx;
	const struct deliver_decider deciders[] = { { "test", decide, NULL } };
	for (size_t i = 0; i < rq->nrcpts; i++) {
		struct sv who = rq->rcpts[i].recipient;
		deliver_begin(rq);
		if (sv_starts(who, SV("bounce@")))
			deliver_done(rq, i, DELIVER_BOUNCED, DSN(4, 1, 1), "no\nsuch user");
		if (sv_starts(who, SV("bounce@")) || sv_starts(who, SV("forgotten@")))
			continue;
		char mail[400];
		(void)snprintf(mail, sizeof(mail), "maildir:%s", g->maildir);
		struct deliver_mailbox m = { .store = store,
			.account = { .owner = who,
			        .mail = sv_z(mail),
			        .uid = (uid_t)-1,
			        .create = true },
			.delivered_to = who,
			.deciders = deciders,
			.ndeciders = 1 };
		if (sv_starts(who, SV("disk@")))
			m.account.mail = SV("maildir:/proc/no/such");
		struct deliver_outcome o;
		struct sv redirect;
		if (deliver_mailbox(rq, i, &m, &o, &redirect) == 0) {
			rq->rcpts[i].action = QUEUE_ACTION_PASSED_ON;
			deliver_done(rq, i, DELIVER_SENT, DSN(2, 0, 0), "redirected to %.*s",
			        SV_ARG(redirect));
		} else
			deliver_done(rq, i, o.status, o.dsn, "%s", o.text);
	}
}

static int setup(void **state)
{
	struct rig *g = mem_alloc(sizeof(*g));
	int pair[2];
	g->tmp = tmpdir_new();
	(void)snprintf(g->mail_file, sizeof(g->mail_file), "%s/mail", g->tmp);
	(void)snprintf(g->log_file, sizeof(g->log_file), "%s/done", g->tmp);
	(void)snprintf(g->maildir, sizeof(g->maildir), "%s/M", g->tmp);
	FILE *fp = fopen(g->mail_file, "w");
	(void)fputs("headerof" BODY, fp);
	(void)fclose(fp);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	g->agent = fork();
	if (g->agent == 0) {
		static const struct deliver_agent agent = { .relay = "local", .handle = handle };
		struct arena a;
		close(pair[0]);
		arena_init(&a, 1 << 20);
		store = store_new(&(struct store_options){ .host = "h" });
		deliver_connection(pair[1], &a, &agent, g, NULL);
		arena_free(&a);
		store_free(store);
		_exit(0);
	}
	close(pair[1]);
	g->qmgr = pair[0];
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;
	int status = 0;
	(void)waitpid(g->agent, &status, 0);
	tmpdir_remove(g->tmp);
	free(g);
	return status == 0 ? 0 : -1;
}

/* One request; the texts "status dsn text" of all recipients, joined by '|'. */
static void ask(struct rig *g, struct ipc_conn *c, struct sv *rcpts, size_t n, uint32_t flags,
        bool with_log, struct buf *out)
{
	uint64_t offsets[10];
	for (size_t i = 0; i < n; i++)
		offsets[i] = 1000 + i;
	struct msg_deliver_request m = { .queue_id = SV("4jY0HK6QlbzMbXnvkQ"),
		.nonce = 77,
		.flags = flags,
		.sender = SV("from@x"),
		.arrival_us = INT64_C(1700000000000000),
		.content_offset = 8,
		.content_size = sizeof(BODY) - 1,
		.offsets = { offsets, n },
		.recipients = { rcpts, n } };
	int fds[] = { open(g->mail_file, O_RDONLY),
		open(g->log_file, O_WRONLY | O_APPEND | O_CREAT, 0600) };
	struct err e = ERR_INIT;
	struct ipc_frame f;
	struct msg_deliver_results r;
	struct arena a;
	arena_init(&a, 1 << 20);
	assert_int_equal(
	        msg_deliver_request_send(c, &m, 5, fds, with_log ? 2 : 1, fiber_deadline(5000), &e),
	        1);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(ipc_recv(c, &f, fiber_deadline(20000), &e), 1);
	assert_int_equal(f.request_id, 5);
	assert_int_equal(msg_deliver_results_decode(f.body, &a, &r, &e), 1);
	assert_int_equal(r.offsets.n, n);
	buf_reset(out);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(r.offsets.v[i], offsets[i]);
		(void)buf_printf(out, "%s%u %.*s %.*s", i ? "|" : "", r.statuses.v[i],
		        SV_ARG(r.dsns.v[i]), SV_ARG(r.texts.v[i]));
		assert_int_equal(r.actions.v[i], sv_starts(rcpts[i], SV("redirect@")) ? QUEUE_ACTION_PASSED_ON
		                                                                      : QUEUE_ACTION_DELIVERED);
	}
	arena_free(&a);
}

static bool count_record(void *ctx, const struct done_record *r)
{
	struct buf *out = ctx;
	if (sv_eqz(r->id, "4jY0HK6QlbzMbXnvkQ") && r->nonce == 77)
		(void)buf_printf(out, "%llu:%u%s|", (unsigned long long)r->offset, (unsigned)r->result,
		        r->action == QUEUE_ACTION_PASSED_ON ? "p" : "");
	return true;
}

static void test_results(void **state)
{
	struct rig *g = *state;
	struct ipc_conn *c = ipc_conn_new(g->qmgr);
	struct buf out;
	buf_init(&out, 10000);
	struct sv rcpts[] = { SV("anna@b"), SV("bounce@b"), SV("forgotten@b"), SV("reject@b"),
		SV("redirect@b"), SV("broken@b"), SV("disk@b") };
	ask(g, c, rcpts, 7, 0, true, &out);
	struct sv rest = buf_sv(&out);
	t_assert_sv(sv_take_until(&rest, '|'), "0 2.0.0 delivered to maildir");
	t_assert_sv(sv_take_until(&rest, '|'), "2 5.1.1 no such user"); /* right class, one line */
	t_assert_sv(sv_take_until(&rest, '|'),
	        "1 4.3.0 internal error: delivery ended without a result");
	t_assert_sv(sv_take_until(&rest, '|'), "2 5.2.2 full");
	t_assert_sv(sv_take_until(&rest, '|'), "0 2.0.0 redirected to elsewhere@b");
	t_assert_sv(sv_take_until(&rest, '|'), "1 4.3.0 test: decider is away");
	assert_true(sv_starts(rest, SV("1 4.2.0 cannot update mailbox: mkdir /proc/no")));
	/* every result is in the done-log, also when the log came with an earlier request */
	struct sv again[] = { SV("anna@b"), SV("folder@b") };
	ask(g, c, again, 2, DELIVER_MAYBE_BEFORE, false, &out);
	t_assert_sv(
	        buf_sv(&out), "0 2.0.0 delivered to maildir before|0 2.0.0 delivered to maildir");
	/* soft_bounce: here and in the done-log nothing failed for good */
	struct sv soft[] = { SV("bounce@b") };
	ask(g, c, soft, 1, DELIVER_SOFT_BOUNCE, false, &out);
	t_assert_sv(buf_sv(&out), "1 4.1.1 no such user");
	int fd = open(g->log_file, O_RDONLY);
	struct err e = ERR_INIT;
	buf_reset(&out);
	assert_int_equal(done_log_read(fd, count_record, &out, &e), 1);
	close(fd);
	static const char *const want[] = { "1000:0", "1001:2", "1003:2", "1004:0p", "1005:1", "1006:1",
		"1002:1" /* forgotten: found at the end */, "1000:0", "1001:0", "1000:1" };
	rest = buf_sv(&out);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		t_assert_sv(sv_take_until(&rest, '|'), want[i]);
	assert_int_equal(rest.len, 0);
	buf_free(&out);
	ipc_conn_free(c);
}

/* A request that contradicts itself ends the connection, not the process. */
static void test_bad_request(void **state)
{
	struct rig *g = *state;
	struct ipc_conn *c = ipc_conn_new(g->qmgr);
	uint64_t offsets[] = { 1, 2 };
	struct sv rcpts[] = { SV("anna@b") };
	struct msg_deliver_request m = {
		.queue_id = SV("4jY0HK6QlbzMbXnvkQ"), .offsets = { offsets, 2 }, .recipients = { rcpts, 1 }
	};
	int fd = open(g->mail_file, O_RDONLY);
	struct err e = ERR_INIT;
	struct ipc_frame f;
	assert_int_equal(msg_deliver_request_send(c, &m, 5, &fd, 1, fiber_deadline(5000), &e), 1);
	close(fd);
	assert_true(ipc_recv(c, &f, fiber_deadline(5000), &e) <= 0);
	ipc_conn_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
		                                    test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_request, setup, teardown) };
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
