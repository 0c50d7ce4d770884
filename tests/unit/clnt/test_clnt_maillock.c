/* Unit test of lib/clnt/clnt_maillock.c against a maillock of the test's own: answers of every kind, and its end. */
#include "tests/support/t.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clnt/clnt_maillock.h"
#include "lib/wire/maillock_frame.h"
#include "tests/support/tmpdir.h"

/* --- the server: a thread that does what the script says ------------------------------------------ */

#define SCRIPT_MAX 9

static struct {
	int fd; /* listening, or one end of a pair */
	bool listens;
	/* status of each answer; 0: hang up instead; 'x': an answer that is none */
	unsigned char script[SCRIPT_MAX];
	struct maillock_request seen[SCRIPT_MAX];
	size_t n, connections;
} fake;

static void *serve(UNUSED void *arg)
{
	int fd = fake.listens ? -1 : fake.fd;
	while (fake.script[fake.n]) {
		unsigned char in[MAILLOCK_REQUEST_LEN], out[MAILLOCK_ANSWER_LEN];
		if (fd < 0) {
			fd = accept(fake.fd, NULL, NULL);
			fake.connections++;
		}
		if (recv(fd, in, sizeof(in), MSG_WAITALL) != (ssize_t)sizeof(in)) {
			close(fd);
			fd = -1;
			if (!fake.listens)
				return NULL;
			continue;
		}
		unsigned char what = fake.script[fake.n];
		if (maillock_request_get(in, &fake.seen[fake.n++]) < 0)
			abort();
		if (what == 'h') {
			close(fd);
			fd = -1;
			if (!fake.listens)
				return NULL;
			continue;
		}
		const struct maillock_answer a = { .status = (enum maillock_status)(what == 'x' ? 9 : what),
			.sys_errno = what == MAILLOCK_TROUBLE ? ENOSPC : 0 };
		maillock_answer_put(&a, out);
		if (send(fd, out, sizeof(out), MSG_NOSIGNAL) < 0)
			abort();
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static pthread_t begin(const char *script)
{
	pthread_t t;
	memset(fake.script, 0, sizeof(fake.script));
	memcpy(fake.script, script, strlen(script));
	fake.n = fake.connections = 0;
	assert_int_equal(pthread_create(&t, NULL, serve, NULL), 0);
	return t;
}

static void end(pthread_t t)
{
	assert_int_equal(pthread_join(t, NULL), 0);
}

static char *dir, path[200];

static void listen_anew(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	(void)unlink(path);
	fake.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	fake.listens = true;
	assert_int_equal(bind(fake.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fake.fd, 5), 0);
}

/* --- */

static void a_lock_and_what_is_done_under_it(UNUSED void **state)
{
	const uint64_t n[MAILLOCK_NUMBERS] = { 1, 2, 3, 4, 5, 6 };
	struct err e = ERR_INIT;
	listen_anew();
	struct clnt_maillock *c = clnt_maillock_new(path);
	pthread_t t = begin("\1\1\1\1\1\1");
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 1);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 0); /* by another thread: without a word to anybody */
	assert_int_equal(clnt_maillock_note(c, "anna", n, &e), 1);
	assert_int_equal(clnt_maillock_note(c, "anna", NULL, &e), 1);
	clnt_maillock_unlock(c, "anna");
	clnt_maillock_unlock(c, "anna"); /* nothing to give up */
	assert_int_equal(clnt_maillock_make(c, "anna", &e), 1);
	assert_int_equal(clnt_maillock_note(c, "anna", n, &e), 1); /* under the kernel's lock */
	end(t);
	static const enum maillock_op ops[] = { MAILLOCK_LOCK, MAILLOCK_NOTE, MAILLOCK_FORGET, MAILLOCK_UNLOCK,
		MAILLOCK_MAKE, MAILLOCK_NOTE };
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		assert_int_equal(fake.seen[i].op, ops[i]);
		assert_string_equal(fake.seen[i].name, "anna");
	}
	assert_memory_equal(fake.seen[1].number, n, sizeof(n));
	assert_int_equal(fake.connections, 3); /* one for the lock, one for each thing that needs none */
	clnt_maillock_free(c);
	close(fake.fd);
}

static void answers(UNUSED void **state)
{
	struct err e = ERR_INIT;
	listen_anew();
	struct clnt_maillock *c = clnt_maillock_new(path);
	pthread_t t = begin("\2\3\4xx\2");
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 0);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), -1);
	assert_int_equal(e.sys_errno, ENOSPC);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), -1); /* asked twice, no answer that is one */
	assert_int_equal(e.cls, ERR_BUG);
	assert_int_equal(clnt_maillock_make(c, "anna", &e), -1);
	end(t);
	/* names that cannot be are asked of nobody */
	char longest[300];
	memset(longest, 'x', sizeof(longest));
	longest[299] = '\0';
	static const char *const bad[] = { "", "a/b", ".x" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(clnt_maillock_make(c, bad[i], &e), -1);
	assert_int_equal(clnt_maillock_make(c, longest, &e), -1);
	close(fake.fd);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), -1);
	assert_int_equal(e.sys_errno, ECONNREFUSED);
	clnt_maillock_free(c);
}

/* It ends while a lock is held: whoever is started next takes the lock over. */
static void its_end(UNUSED void **state)
{
	struct err e = ERR_INIT;
	listen_anew();
	struct clnt_maillock *c = clnt_maillock_new(path);
	pthread_t t = begin("\1hh\1\1");
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 1);
	assert_int_equal(clnt_maillock_note(c, "anna", NULL, &e), -1); /* twice without an answer */
	assert_int_equal(clnt_maillock_note(c, "anna", NULL, &e), 1);
	clnt_maillock_unlock(c, "anna");
	end(t);
	assert_int_equal(fake.seen[4].op, MAILLOCK_UNLOCK);
	assert_int_equal(fake.connections, 3);
	clnt_maillock_free(c);
	close(fake.fd);
}

static void one_connection(UNUSED void **state)
{
	struct err e = ERR_INIT;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fake.fd = pair[1];
	fake.listens = false;
	struct clnt_maillock *c = clnt_maillock_new_fixed(pair[0]);
	pthread_t t = begin("\1\1\1\2\1h");
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 1);
	assert_int_equal(clnt_maillock_lock(c, "other", &e), 0); /* it holds one */
	assert_int_equal(clnt_maillock_make(c, "other", &e), 1);
	clnt_maillock_unlock(c, "anna");
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 0);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), 1);
	clnt_maillock_unlock(c, "anna"); /* hung up */
	end(t);
	assert_int_equal(clnt_maillock_lock(c, "anna", &e), -1);
	assert_non_null(strstr(e.text, "has gone"));
	clnt_maillock_free(c);
}

static int set_up(UNUSED void **state)
{
	dir = tmpdir_new();
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int tear_down(UNUSED void **state)
{
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_lock_and_what_is_done_under_it),
		cmocka_unit_test(answers), cmocka_unit_test(its_end), cmocka_unit_test(one_connection) };
	return cmocka_run_group_tests_name("clnt_maillock", tests, set_up, tear_down);
}
