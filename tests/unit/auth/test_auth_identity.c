/*
 * Unit test of auth/auth_identity.c and of lib/clnt/clnt_postman.c:
 * who may be named, which process gets the work, and when it is tried again.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "lib/clnt/clnt_postman.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "tests/support/t.h"
#include "tests/support/tmpdir.h"

#define WAIT_MS 10000

/* A fiber must not assert: it notes the first thing that is wrong. */
static char wrong[500];

#define EXPECT(cond)                                                                    \
	do {                                                                            \
		if (!(cond) && !wrong[0])                                               \
			snprintf(wrong, sizeof(wrong), "line %d: %s", __LINE__, #cond); \
	} while (0)

static struct auth the_auth;
static char users_path[300];

static int64_t soon(void)
{
	return fiber_deadline(WAIT_MS);
}

static void write_users(const char *text)
{
	FILE *f = fopen(users_path, "w");
	EXPECT(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

/* --- who is meant ------------------------------------------------------------------------------- */

static const struct {
	bool system;
	const char *kind, *name;
	int owner; /* uid of the file whose descriptor is passed; -1: none is */
	int rc;
	unsigned uid, gid;
	const char *text; /* of the error */
} identities[] = {
	{ true, "user", "anna@example.test", -1, 1, 1001, 2001, NULL },
	{ true, "user", "ANNA", -1, 1, 1001, 2001, NULL },
	{ true, "user", "nobody.here@example.test", -1, 0, 0, 0, NULL },
	{ true, "user", "evil@example.test", -1, -1, 0, 0, "nothing is done as merpati-net" },
	{ true, "default", "", -1, 1, 65534, 65533, NULL },
	{ true, "owner", "", 1002, 1, 1002, 2002, NULL },
	{ true, "owner", "", 0, 1, 65534, 65533, NULL }, /* root's: nobody works as root */
	{ true, "owner", "", 4444, -1, 0, 0, "uid 4444, which is no user's" },
	{ true, "owner", "", 990, -1, 0, 0, "nothing is done as merpati-net" },
	{ true, "owner", "", -1, -1, 0, 0, "no descriptor" },
	{ true, "uid", "0", -1, -1, 0, 0, "kind uid" },
	{ true, "service", "filter", -1, 1, 1, 1, NULL }, /* daemon */
	{ true, "service", "group", -1, 1, 1, 2, NULL },  /* daemon:bin */
	{ true, "service", "rooted", -1, -1, 0, 0, "nothing is done as root" },
	{ true, "service", "gone", -1, -1, 0, 0, "service gone: user=no.such.account: no such account" },
	{ true, "service", "plain", -1, -1, 0, 0, "service plain has no user=" },
	{ true, "service", "elsewhere", -1, -1, 0, 0, "service elsewhere has no user=" },
	{ false, "service", "filter", -1, -1, 0, 0, "serves uid 1001 only" },
	{ true, "virtual", "a+x@v.test", -1, 1, 5001, 6001, NULL },
	{ true, "virtual", "low@v.test", -1, -1, 0, 0, "less than 100" },
	{ true, "virtual", "evil@v.test", -1, -1, 0, 0, "nothing is done as merpati-net" },
	{ true, "virtual", "b@v.test", -1, -1, 0, 0, "b@v.test is not in virtual_uid_maps" },
	{ false, "user", "anna@example.test", -1, 1, 1001, 2001, NULL },
	{ false, "user", "bob@example.test", -1, -1, 0, 0, "serves uid 1001 only" },
	{ false, "default", "", -1, 1, 1001, 2001, NULL },
	{ false, "owner", "", 0, 1, 1001, 2001, NULL },
	{ false, "owner", "", 1001, 1, 1001, 2001, NULL },
	{ false, "owner", "", 1002, -1, 0, 0, "belongs to uid 1002" },
};

static void set_shape(bool system)
{
	the_auth.set = (struct auth_settings){
		.wait_ms = 200,
		.only_uid = system ? (uid_t)-1 : 1001,
		.only_gid = 2001,
		.default_uid = 65534,
		.default_gid = 65533,
	};
	for (int i = 0; i < RIGHTS_ACCOUNTS; i++)
		the_auth.set.own.ids[i] = (struct rights_ids){ .name = "merpati-net", .uid = 990, .gid = 990 };
}

static int owned_by(const char *dir, int uid)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/owned", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fchown(fd, (uid_t)uid, (gid_t)-1) < 0)
		fail_msg("%s", path);
	return fd;
}

static void identities_are_found(void **state)
{
	const struct params_core core = { .recipient_delimiter = "+", .owner_request_special = true };
	const struct params_virtual virtual = { .virtual_minimum_uid = 100,
		.virtual_uid_maps = "inline:{ {a@v.test = 5001}, {low@v.test = 99}, {evil@v.test = 990} }",
		.virtual_gid_maps = "static:6001" };
	struct err why = ERR_INIT;
	char path[400];
	snprintf(path, sizeof(path), "%s/master.cf", (const char *)*state);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("filter unix - n n - - pipe flags=R user=daemon argv=/x\n"
	      "group unix - n n - - pipe user=daemon:bin argv=/x\n"
	      "rooted unix - n n - - pipe user=root argv=/x\n"
	      "gone unix - n n - - pipe user=no.such.account argv=/x\n"
	      "plain unix - n n - - pipe argv=/x user=daemon\n"
	      "elsewhere unix - n n - - error user=daemon\n", f);
	fclose(f);
	the_auth.services = auth_services_new(*state, &why);
	the_auth.virtual = auth_virtual_new(&core, &virtual, &why);
	assert_true(the_auth.services && the_auth.virtual);
	write_users("anna@example.test:!:1001:2001::/home/anna:/bin/ash:\n"
	            "bob@example.test:!:1002:2002::::\n"
	            "bob2@example.test:!:1002:2009::::\n"
	            "evil@example.test:!:990:990::::\n");
	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		struct auth_account who = { .uid = 0 };
		struct err e = ERR_INIT;
		struct arena a;
		if (identities[i].owner >= 0 && geteuid() != 0)
			continue; /* only root can give a file away */
		t_case(identities[i].kind);
		arena_init(&a, 65536);
		set_shape(identities[i].system);
		int fd = identities[i].owner >= 0 ? owned_by(*state, identities[i].owner) : -1;
		assert_int_equal(auth_identity(&the_auth, sv_z(identities[i].kind),
		                         sv_z(identities[i].name), fd, &a, &who, &e),
		        identities[i].rc);
		if (identities[i].rc == 1) {
			assert_int_equal(who.uid, identities[i].uid);
			assert_int_equal(who.gid, identities[i].gid);
		} else if (identities[i].text) {
			assert_non_null(strstr(e.text, identities[i].text));
		}
		if (sv_istarts(who.name, SV("anna")))
			t_assert_sv(who.shell, "/bin/ash");
		close(fd);
		arena_free(&a);
	}
}

/* --- processes ---------------------------------------------------------------------------------- */

/* A process of class queue: connects to auth. */
static void run_serve(void *arg)
{
	auth_serve_fd(&the_auth, (int)(intptr_t)arg, "queue", NULL);
}

static int dial_auth(UNUSED void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline,
        UNUSED struct err *e)
{
	int sv[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	EXPECT(fiber_spawn("auth", 0, run_serve, (void *)(intptr_t)sv[1]));
	return sv[0];
}

struct postman {
	unsigned silent;   /* sessions that it drops before it says welcome */
	unsigned got;
	uint32_t uid; /* whose it is; 0: nobody's yet */
	struct fiber *fiber;
};

static void run_postman(void *arg)
{
	struct postman *p = arg;
	struct ipc_conn *c = ipc_conn_new(dial_auth(NULL, NULL, 0, NULL));
	struct clnt_auth_identity who;
	struct clnt_auth_session s;
	struct err e = ERR_INIT;
	struct arena a;
	arena_init(&a, 1 << 20);
	EXPECT(clnt_auth_enlist(c, SV("postman"), 10, soon(), &e) == 1);
	if (clnt_auth_become(c, &a, &who, FIBER_FOREVER, &e) == 1) {
		p->uid = who.uid;
		EXPECT(clnt_auth_became(c, NULL, soon(), &e) == 1);
	}
	while (clnt_auth_session(c, &a, &s, FIBER_FOREVER, &e) == 1) {
		struct ipc_conn *to = ipc_conn_new(s.fd);
		struct msg_postman_welcome m = { .uid = s.who.uid };
		EXPECT(s.who.uid == p->uid);
		if (p->got++ >= p->silent)
			EXPECT(msg_postman_welcome_send(to, &m, 0, NULL, 0, soon(), &e) == 1);
		ipc_conn_free(to);
	}
	arena_free(&a);
	ipc_conn_free(c);
}

static void start(struct postman *p)
{
	p->fiber = fiber_spawn("postman", 0, run_postman, p);
	fiber_hold(p->fiber);
	for (uint64_t before = auth_switch_room(the_auth.sw, SV("postman"));
	        auth_switch_room(the_auth.sw, SV("postman")) == before;)
		if (fiber_yield() < 0)
			return;
}

static void stop(struct postman *p)
{
	fiber_cancel(p->fiber);
	EXPECT(fiber_join(p->fiber, soon()) == 1);
	fiber_release(p->fiber);
}

static bool opened(struct ipc_pool *auth, const char *kind, const char *name, struct err *e)
{
	const struct clnt_auth_whose whose = { .kind = kind, .name = sv_z(name), .fd = -1 };
	struct ipc_conn *c = clnt_postman_open(auth, &whose, SV("QID"), soon(), e);
	ipc_conn_free(c);
	return c != NULL;
}

static void run_system(UNUSED void *arg)
{
	struct postman one = { .uid = 0 }, two = { .uid = 0 }, late = { .silent = 2 };
	struct ipc_pool *auth = ipc_pool_new("auth", 4, dial_auth, NULL);
	struct err e = ERR_INIT;
	the_auth.sw = auth_switch_new();
	EXPECT(!opened(auth, "user", "anna", &e) && strstr(e.text, "is it a service in master.cf"));
	start(&one);
	EXPECT(opened(auth, "user", "anna", &e) && one.uid == 1001);
	EXPECT(opened(auth, "user", "anna@example.test", &e) && one.got == 2);
	start(&two);
	EXPECT(opened(auth, "default", "", &e) && two.uid == 65534);
	EXPECT(opened(auth, "default", "", &e) && two.got == 2);
	EXPECT(!opened(auth, "user", "evil", &e) && strstr(e.text, "nothing is done as"));
	EXPECT(!opened(auth, "user", "nobody.here", &e) && strstr(e.text, "not in the directory"));
	EXPECT(one.got == 2 && two.got == 2);
	/* both are somebody's, and have room: bob gets neither */
	EXPECT(!opened(auth, "user", "bob", &e) && strstr(e.text, "no postman process has room") &&
	        strstr(e.text, "postman_session_limit"));
	stop(&one);
	stop(&two);
	/* two attempts meet no welcome, the third does */
	start(&late);
	EXPECT(opened(auth, "user", "bob", &e) && late.got == 3 && late.uid == 1002);
	late.got = 0;
	late.silent = 100;
	EXPECT(!opened(auth, "user", "bob", &e) && strstr(e.text, "end before they begin"));
	stop(&late);
	ipc_pool_free(auth);
	fiber_stop(0);
}

static void work_goes_to_its_own_user(UNUSED void **state)
{
	if (geteuid() != 0)
		skip(); /* the peers in a system instance are root */
	set_shape(true);
	wrong[0] = '\0';
	assert_int_equal(fiber_main(run_system, NULL), 0);
	assert_string_equal(wrong, "");
}

static int set_up(void **state)
{
	char *dir = tmpdir_new();
	snprintf(users_path, sizeof(users_path), "%s/users", dir);
	the_auth.dir = auth_dir_new(users_path, "/m", &(struct auth_where){ .home_mailbox = NULL });
	*state = dir;
	return 0;
}

static int tear_down(void **state)
{
	auth_services_free(the_auth.services);
	auth_virtual_free(the_auth.virtual);
	auth_dir_free(the_auth.dir);
	tmpdir_remove(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_are_found),
		cmocka_unit_test(work_goes_to_its_own_user),
	};
	return cmocka_run_group_tests_name("auth_identity", tests, set_up, tear_down);
}
