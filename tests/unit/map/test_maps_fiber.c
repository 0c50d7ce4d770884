/* Unit test of lib/map/maps.c on fibers: the look-up pool, and a proxymap at the end of a socket. */
#include <sys/socket.h>

#include "tests/support/t.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/map/maps.h"

static char file[] = "/tmp/merpati-maps.XXXXXX";

/* What the fibers found; looked at after the loop has ended. */
static struct {
	int local_hits, local_misses, local_errors;
	int rc[6];
	char value[6][64];
	char text[6][ERR_TEXT_MAX];
	size_t which;
	int asked; /* requests that reached the fake proxymap */
} seen;

static void answer(struct ipc_conn *c, const struct ipc_frame *f, const struct msg_proxymap_lookup *ask)
{
	struct msg_proxymap_result r = { .status = 0 };
	struct err e = ERR_INIT;
	for (size_t i = 0; i < ask->keys.n && r.status == 0; i++) {
		r.which = (uint32_t)i;
		if (sv_eqz(ask->table, "hash:/there") && sv_eqz(ask->keys.v[i], "u@d"))
			r = (struct msg_proxymap_result){ .status = 1, .value = SV("v"), .which = r.which };
		else if (sv_eqz(ask->table, "hash:/broken"))
			r = (struct msg_proxymap_result){ .status = 2, .error = SV("disk trouble") };
		else if (sv_eqz(ask->table, "hash:/secret"))
			r = (struct msg_proxymap_result){ .status = 3, .error = SV("not for you") };
	}
	seen.asked++;
	if (msg_proxymap_result_send(c, &r, f->request_id, NULL, 0, fiber_deadline(5000), &e) < 0)
		print_error("%s\n", e.text);
}

static void serve(void *arg)
{
	struct ipc_conn *c = ipc_conn_new((int)(intptr_t)arg);
	struct ipc_frame f;
	struct err e = ERR_INIT;
	while (ipc_recv(c, &f, fiber_deadline(20000), &e) == 1) {
		struct msg_proxymap_lookup ask;
		struct arena a;
		arena_init(&a, 65536);
		if (msg_proxymap_lookup_from(&f, &a, &ask, &e) == 1)
			answer(c, &f, &ask);
		arena_free(&a);
	}
	ipc_conn_free(c);
}

static int dial(UNUSED void *ctx, UNUSED const char *endpoint, UNUSED int64_t deadline, struct err *e)
{
	int fd[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
		return err_set(e, ERR_TEMP, "socketpair");
	if (!fiber_spawn("proxymap", 0, serve, (void *)(intptr_t)fd[0]))
		return err_set(e, ERR_TEMP, "spawn");
	return fd[1];
}

static struct maps *shared;
static int running;

static void look_up_often(UNUSED void *arg)
{
	for (int i = 0; i < 50; i++) {
		struct buf value;
		struct err e = ERR_INIT;
		buf_init(&value, 1000);
		int rc = maps_find(shared, i % 2 ? SV("key") : SV("nokey"), &value, &e);
		seen.local_errors += rc < 0;
		seen.local_misses += rc == 0;
		seen.local_hits += rc == 1 && sv_eqz(buf_sv(&value), "found");
		buf_free(&value);
	}
	if (--running == 0)
		fiber_stop(0);
}

static void local_main(UNUSED void *arg)
{
	running = 8;
	for (int i = 0; i < 8; i++)
		if (!fiber_spawn("look-up", 0, look_up_often, NULL))
			fiber_stop(1);
}

static void many_fibers_share_a_table(UNUSED void **state)
{
	char list[128];
	struct err e = ERR_INIT;
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fputs("key found\n", f);
	fclose(f);
	snprintf(list, sizeof(list), "texthash:%s", file);
	shared = maps_open("x", list, NULL, 0, &e);
	assert_non_null(shared);
	assert_int_equal(fiber_main(local_main, NULL), 0);
	maps_free(shared);
	assert_int_equal(seen.local_hits, 200);
	assert_int_equal(seen.local_misses, 200);
	assert_int_equal(seen.local_errors, 0);
}

static void ask(size_t i, const char *list, const struct maps_env *env)
{
	struct map_key_rules rules = { .delimiters = "+" };
	struct map_keys keys;
	struct err e = ERR_INIT;
	struct buf value;
	struct maps *m = maps_open("x", list, env, 0, &e);
	map_keys_addr(&keys, SV("u+e@d"), &rules);
	buf_init(&value, sizeof(seen.value[i]));
	seen.rc[i] = maps_find_keys(m, &keys, &value, &seen.which, &e);
	snprintf(seen.value[i], sizeof(seen.value[i]), "%s", buf_z(&value));
	snprintf(seen.text[i], sizeof(seen.text[i]), "%s", e.text);
	buf_free(&value);
	maps_free(m);
}

static void remote_main(UNUSED void *arg)
{
	struct maps_env env = { .proxymap = ipc_pool_new("proxymap", 2, dial, NULL), .jailed = true };
	ask(0, "hash:/there", &env);
	ask(1, "hash:/not/there", &env);
	ask(2, "hash:/broken", &env);
	ask(3, "proxy:hash:/secret", &env);
	/* pure tables are asked here, in their place in the list */
	ask(4, "inline:{@d=late}, hash:/there", &env);
	seen.asked = 0;
	ask(5, "inline:{@d=only}", &env);
	ipc_pool_free(env.proxymap);
	fiber_stop(0);
}

static void jailed_daemons_ask_proxymap(UNUSED void **state)
{
	assert_int_equal(fiber_main(remote_main, NULL), 0);
	assert_int_equal(seen.rc[0], 1);
	assert_string_equal(seen.value[0], "v");
	assert_int_equal(seen.rc[1], 0);
	assert_int_equal(seen.rc[2], -1);
	assert_non_null(strstr(seen.text[2], "disk trouble"));
	assert_int_equal(seen.rc[3], -1);
	assert_non_null(strstr(seen.text[3], "hash:/secret"));
	assert_int_equal(seen.rc[4], 1);
	assert_string_equal(seen.value[4], "v");
	assert_int_equal(seen.rc[5], 1);
	assert_int_equal(seen.asked, 0);
}

int main(void)
{
	if (mkstemp(file) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_fibers_share_a_table),
		cmocka_unit_test(jailed_daemons_ask_proxymap),
	};
	int failed = cmocka_run_group_tests_name("maps_fiber", tests, NULL, NULL);
	unlink(file);
	return failed;
}
