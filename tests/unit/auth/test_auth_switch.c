/* Unit test of auth/auth_switch.c with processes of nobody: whose they become, and whose sessions they get. */
#include <sys/socket.h>
#include <unistd.h>

#include "auth/auth_switch.h"
#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/fiber.h"
#include "tests/support/t.h"

/* A fiber must not assert: it notes the first thing that is wrong. */
static char wrong[500];

#define EXPECT(cond)                                                                    \
	do {                                                                            \
		if (!(cond) && !wrong[0])                                               \
			snprintf(wrong, sizeof(wrong), "line %d: %s", __LINE__, #cond); \
	} while (0)

static struct auth_switch *sw;

static int64_t soon(void)
{
	return fiber_deadline(10000);
}

/* --- a process, as auth sees it ----------------------------------------------------------------- */

struct process {
	struct ipc_conn *conn;     /* its end; NULL when it has left */
	int theirs;
	unsigned room, assigned, sessions;
	uint32_t uid, gid, groups[4];
	size_t ngroups;
	char home[40], mail[60];
	const char *refuses;       /* what it answers instead of "became" */
	bool silent;               /* dies without an answer */
	struct fiber_event *served;
	struct fiber *fiber;
};

static void run_member(void *arg)
{
	struct process *p = arg;
	struct ipc_conn *c = ipc_conn_new(p->theirs);
	auth_switch_member(sw, c, SV("imap"), p->room, true);
	ipc_conn_free(c);
}

static void run_process(void *arg)
{
	struct process *p = arg;
	struct clnt_auth_identity who;
	struct clnt_auth_session s;
	struct err e = ERR_INIT;
	struct arena a;
	arena_init(&a, 1 << 20);
	if (clnt_auth_become(p->conn, &a, &who, soon(), &e) == 1) {
		p->assigned++;
		p->uid = who.uid;
		p->gid = who.gid;
		p->ngroups = who.groups.n < 4 ? who.groups.n : 4;
		memcpy(p->groups, who.groups.v, p->ngroups * sizeof(p->groups[0]));
		snprintf(p->home, sizeof(p->home), "%.*s", SV_ARG(who.home));
		snprintf(p->mail, sizeof(p->mail), "%.*s", SV_ARG(who.mail));
		if (!p->silent)
			EXPECT(clnt_auth_became(p->conn, p->refuses, soon(), &e) == 1);
		while (!p->silent && !p->refuses && clnt_auth_session(p->conn, &a, &s, soon(), &e) == 1) {
			EXPECT(s.who.uid == p->uid);
			p->sessions++;
			fiber_close(s.fd);
			fiber_event_set(p->served);
		}
	}
	arena_free(&a);
	ipc_conn_free(p->conn);
	p->conn = NULL;
}

static void start(struct process *p)
{
	int sv[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	p->conn = ipc_conn_new(sv[0]);
	p->theirs = sv[1];
	p->served = fiber_event_new();
	if (!p->room)
		p->room = 2;
	if (!fiber_spawn("member", 0, run_member, p) || !(p->fiber = fiber_spawn("process", 0, run_process, p)))
		abort();
	fiber_hold(p->fiber);
	fiber_yield();
}

/* Close the connection and wait until both sides know. */
static void finish(struct process *p)
{
	if (p->conn)
		shutdown(ipc_conn_fd(p->conn), SHUT_RDWR);
	EXPECT(fiber_join(p->fiber, soon()) == 1);
	fiber_release(p->fiber);
	fiber_event_free(p->served);
	fiber_yield();
}

static int pass(uid_t uid, const char *mail, int64_t ms, struct err *e)
{
	static uint32_t groups[] = { 27, 100 };
	struct auth_account who = { .name = SV("anna"), .uid = uid, .gid = 7, .home = SV("/home/anna"),
		.mail = sv_z(mail), .groups = { groups, 2 } };
	struct msg_auth_session m = { .user = who.name, .uid = uid, .gid = 7 };
	int fd = dup(0), rc;
	rc = auth_switch_pass(sw, SV("imap"), &who, &m, fd, fiber_deadline(ms), e);
	close(fd);
	return rc;
}

static void wait_served(struct process *p, unsigned n)
{
	while (p->sessions < n && fiber_event_wait(p->served, soon()) == 1)
		fiber_event_clear(p->served);
}

/* --- cases ------------------------------------------------------------------------------------- */

#define ANNA "maildir:/home/anna/Maildir"

static void one_user_one_process(void)
{
	struct process a = { .room = 2 }, b = { .room = 2 };
	struct err e = ERR_INIT;
	start(&a);
	start(&b);
	EXPECT(auth_switch_room(sw, SV("imap")) == 4);
	EXPECT(pass(1000, ANNA, 10000, &e) == 1);
	EXPECT(pass(1000, ANNA, 10000, &e) == 1);
	wait_served(&a, 2);
	EXPECT(a.sessions == 2 && a.assigned == 1 && a.uid == 1000 && a.gid == 7);
	EXPECT(a.ngroups == 2 && a.groups[0] == 27 && a.groups[1] == 100);
	EXPECT(strcmp(a.home, "/home/anna") == 0 && strcmp(a.mail, ANNA) == 0);
	EXPECT(b.assigned == 0);
	/* the first one is full: the second one becomes hers, too */
	EXPECT(pass(1000, ANNA, 10000, &e) == 1);
	wait_served(&b, 1);
	EXPECT(b.uid == 1000 && b.sessions == 1);
	/* room again: the first one is asked again */
	EXPECT(clnt_auth_room(a.conn, 1, soon(), &e) == 1);
	while (auth_switch_room(sw, SV("imap")) < 2 && fiber_yield() == 1)
		;
	EXPECT(pass(1000, ANNA, 10000, &e) == 1);
	wait_served(&a, 3);
	EXPECT(a.sessions == 3);
	finish(&a);
	finish(&b);
}

static void others_get_another(void)
{
	struct process a = { .room = 9 }, b = { .room = 9 };
	struct err e = ERR_INIT;
	start(&a);
	EXPECT(pass(1000, ANNA, 10000, &e) == 1);
	wait_served(&a, 1);
	/* a process is one user's, however much room it has; the same uid with another mailbox is not the same */
	EXPECT(pass(1001, ANNA, 50, &e) == -1);
	EXPECT(pass(1000, "maildir:/srv/other", 50, &e) == -1);
	start(&b);
	EXPECT(pass(1000, "maildir:/srv/other", 10000, &e) == 1);
	wait_served(&b, 1);
	EXPECT(a.sessions == 1 && b.sessions == 1 && strcmp(b.mail, "maildir:/srv/other") == 0);
	finish(&a);
	finish(&b);
	EXPECT(pass(1000, ANNA, 50, &e) == -1); /* nobody is left */
	EXPECT(strstr(e.text, "no imapd process is there") != NULL);
}

static void failures_are_told(void)
{
	struct process a = { .refuses = "no such directory" }, b = { .silent = true };
	struct err e = ERR_INIT;
	start(&a);
	EXPECT(pass(1000, ANNA, 10000, &e) == -1);
	EXPECT(strcmp(e.text, "no such directory") == 0 && e.cls == ERR_TEMP);
	EXPECT(a.sessions == 0);
	finish(&a);
	start(&b);
	EXPECT(pass(1000, ANNA, 10000, &e) == -1);
	EXPECT(b.assigned == 1 && e.cls == ERR_TEMP);
	finish(&b);
	EXPECT(auth_switch_room(sw, SV("imap")) == 0);
}

/* What only the owner of the connection to auth may say, in the wrong order. */
static void answers_without_a_question(void)
{
	struct process a = { .room = 3 };
	struct err e = ERR_INIT;
	start(&a);
	EXPECT(clnt_auth_became(a.conn, NULL, soon(), &e) == 1);
	while (auth_switch_room(sw, SV("imap")) > 0 && fiber_yield() == 1)
		;
	EXPECT(pass(1000, ANNA, 50, &e) == -1);
	EXPECT(a.assigned == 0);
	finish(&a);
}

struct joiner {
	struct fiber *fiber;
	int rc;
};

static void run_joiner(void *arg)
{
	struct joiner *j = arg;
	struct err e = ERR_INIT;
	j->rc = pass(1000, ANNA, 10000, &e);
}

/* Many at once: one process becomes hers, the others stay nobody's. */
static void a_burst(void)
{
	struct process a = { .room = 20 }, b = { .room = 20 };
	struct joiner j[10];
	start(&a);
	start(&b);
	for (size_t i = 0; i < ARRAY_LEN(j); i++) {
		j[i] = (struct joiner){ .fiber = fiber_spawn("pass", 0, run_joiner, &j[i]) };
		fiber_hold(j[i].fiber);
	}
	for (size_t i = 0; i < ARRAY_LEN(j); i++) {
		EXPECT(fiber_join(j[i].fiber, soon()) == 1);
		fiber_release(j[i].fiber);
		EXPECT(j[i].rc == 1);
	}
	wait_served(&a, 10);
	EXPECT(a.sessions == 10 && b.assigned == 0);
	finish(&a);
	finish(&b);
}

/* No place for another process: one whose user has gone makes room. */
static void idle_ones_make_place(void)
{
	struct process a = { .room = 5 }, b = { .room = 5 }, c = { .room = 5 };
	struct joiner j = { .rc = 0 };
	struct err e = ERR_INIT;
	start(&a);
	EXPECT(pass(1001, ANNA, 10000, &e) == 1);
	start(&b);
	EXPECT(pass(1002, ANNA, 10000, &e) == 1);
	wait_served(&a, 1);
	wait_served(&b, 1);
	EXPECT(clnt_auth_room(b.conn, 1, soon(), &e) == 1); /* b is idle, a is not */
	j.fiber = fiber_spawn("pass", 0, run_joiner, &j);
	fiber_hold(j.fiber);
	EXPECT(fiber_join(b.fiber, soon()) == 1); /* it sees the end of its connection */
	EXPECT(a.conn != NULL);
	start(&c); /* as master does */
	EXPECT(fiber_join(j.fiber, soon()) == 1);
	fiber_release(j.fiber);
	wait_served(&c, 1);
	EXPECT(j.rc == 1 && c.uid == 1000);
	finish(&a);
	finish(&b);
	finish(&c);
}

static void run_all(UNUSED void *arg)
{
	sw = auth_switch_new();
	one_user_one_process();
	others_get_another();
	failures_are_told();
	answers_without_a_question();
	a_burst();
	idle_ones_make_place();
	auth_switch_free(sw);
	fiber_stop(0);
}

static void switches(UNUSED void **state)
{
	assert_int_equal(fiber_main(run_all, NULL), 0);
	assert_string_equal(wrong, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(switches) };
	return cmocka_run_group_tests_name("auth_switch", tests, NULL, NULL);
}
