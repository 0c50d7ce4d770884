/* Unit test of lib/fiber: every wait, in its three outcomes; cancel; offload; many fibers. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

/* Results are collected on the fibers and asserted after the loop has ended. */
static char trace[256];
static char A[] = "A", B[] = "B", C[] = "C", D[] = "D";

static void note(const char *z)
{
	size_t n = strlen(trace);
	snprintf(trace + n, sizeof(trace) - n, "%s ", z);
}

static void noted(int rc)
{
	note(rc == 1 ? "1" : rc == 0 ? "0" : "-1");
}

static void run(fiber_fn fn, void *arg)
{
	trace[0] = '\0';
	assert_int_equal(fiber_main(fn, arg), 7);
}

static void child(void *arg)
{
	note(arg);
	fiber_yield();
	note(arg);
}

static void yield_main(void *arg)
{
	(void)arg;
	struct fiber *a = fiber_spawn("a", 0, child, A);
	struct fiber *b = fiber_spawn("b", 0, child, B);
	fiber_hold(a);
	fiber_hold(b);
	noted(fiber_join(a, fiber_deadline(5000)));
	noted(fiber_join(b, fiber_deadline(5000)));
	fiber_release(a);
	fiber_release(b);
	fiber_stop(7);
}

static void test_spawn_yield_join(void **state)
{
	(void)state;
	run(yield_main, NULL);
	assert_string_equal(trace, "A B A B 1 1 ");
}

static void sleeper(void *arg)
{
	noted(fiber_sleep(*(int *)arg));
	noted(fiber_sleep(1)); /* after a cancel: at once -1 */
}

static void sleep_main(void *arg)
{
	int long_time = 100000, t20 = 20, t5 = 5;
	(void)arg;
	struct fiber *f = fiber_spawn("sleeper", 0, sleeper, &long_time);
	struct fiber *g = fiber_spawn("sleeper", 0, sleeper, &t20);
	struct fiber *h = fiber_spawn("sleeper", 0, sleeper, &t5);
	fiber_hold(f);
	fiber_hold(g);
	fiber_hold(h);
	fiber_join(g, fiber_deadline(5000));
	fiber_join(h, fiber_deadline(5000));
	noted(fiber_join(f, fiber_deadline(2)));
	fiber_cancel(f);
	noted(fiber_join(f, fiber_deadline(5000)));
	fiber_release(f);
	fiber_release(g);
	fiber_release(h);
	fiber_stop(7);
}

static void test_sleep_cancel(void **state)
{
	(void)state;
	run(sleep_main, NULL);
	assert_string_equal(trace, "1 1 1 1 0 -1 -1 1 ");
}

static void fd_main(void *arg)
{
	int p[2];
	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return;
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(5)));
	noted(fiber_wait_fd(p[0], FIBER_WRITE, fiber_deadline(1000)));
	if (write(p[1], "xy", 2) != 2)
		note("write");
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(1000)));
	char c;
	if (read(p[0], &c, 1) != 1)
		note("read");
	/* level-triggered: one octet is still there */
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(1000)));
	fiber_sleep(5); /* an event that nobody waits for disarms */
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(1000)));
	noted(fiber_wait_fd(p[0], FIBER_READ, clock_mono_ms() - 1));
	if (read(p[0], &c, 1) != 1)
		note("read");
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(5)));
	fiber_close(p[1]);
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(1000)));
	fiber_close(p[0]);
	/* the number is used again: nothing of the old handle is left */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return;
	noted(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(5)));
	fiber_close(p[0]);
	fiber_close(p[1]);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	noted(fiber_wait_fd(file, FIBER_READ, fiber_deadline(1000)));
	fiber_close(file);
	fiber_stop(7);
}

static void test_wait_fd(void **state)
{
	(void)state;
	run(fd_main, NULL);
	assert_string_equal(trace, "0 1 1 1 1 1 0 1 0 1 ");
}

static void test_wait_without_loop(void **state)
{
	int p[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	assert_int_equal(fiber_wait_fd(p[0], FIBER_READ, fiber_deadline(2)), 0);
	assert_int_equal(fiber_wait_fd(p[0], FIBER_WRITE, fiber_deadline(2)), 1);
	assert_int_equal(fiber_sleep(1), 1);
	close(p[0]);
	close(p[1]);
}

struct sync {
	struct fiber_event *ev;
	struct fiber_sem *sem;
	struct fiber_chan *ch;
};

static void consumer(void *arg)
{
	struct sync *s = arg;
	void *item;
	noted(fiber_event_wait(s->ev, fiber_deadline(1000)));
	while (fiber_chan_recv(s->ch, &item, fiber_deadline(1000)) == 1)
		note(item);
	note("closed");
	fiber_sem_give(s->sem);
}

static void sync_main(void *arg)
{
	struct sync s = { fiber_event_new(), fiber_sem_new(1), fiber_chan_new(2) };
	(void)arg;
	if (!fiber_spawn("consumer", 0, consumer, &s))
		return;
	noted(fiber_event_wait(s.ev, fiber_deadline(2)));
	noted(fiber_sem_take(s.sem, fiber_deadline(2)));
	noted(fiber_sem_take(s.sem, fiber_deadline(2)));
	noted(fiber_chan_send(s.ch, A, fiber_deadline(2)));
	noted(fiber_chan_send(s.ch, B, fiber_deadline(2)));
	noted(fiber_chan_send(s.ch, C, fiber_deadline(2)));
	fiber_event_set(s.ev);
	noted(fiber_event_wait(s.ev, fiber_deadline(2)));
	noted(fiber_chan_send(s.ch, C, fiber_deadline(1000)));
	fiber_chan_close(s.ch);
	noted(fiber_chan_send(s.ch, D, fiber_deadline(1000)));
	noted(fiber_sem_take(s.sem, fiber_deadline(1000)));
	fiber_event_free(s.ev);
	fiber_sem_free(s.sem);
	fiber_chan_free(s.ch);
	fiber_stop(7);
}

static void test_sync(void **state)
{
	(void)state;
	run(sync_main, NULL);
	assert_string_equal(trace, "0 1 0 1 1 0 1 1 A B 1 -1 C closed 1 ");
}

/* --- offload ---------------------------------------------------------------------------------- */

static pthread_t loop_thread;
static int in_threads, running, most;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void job(void *rec)
{
	struct timespec ts = { .tv_nsec = 20 * 1000000 };
	pthread_mutex_lock(&lock);
	if (!pthread_equal(pthread_self(), loop_thread))
		in_threads++;
	if (++running > most)
		most = running;
	pthread_mutex_unlock(&lock);
	nanosleep(&ts, NULL);
	pthread_mutex_lock(&lock);
	running--;
	pthread_mutex_unlock(&lock);
	(*(int *)rec)++;
}

static void offloader(void *arg)
{
	int n = 0;
	fiber_offload(FIBER_POOL_DURABLE, job, &n);
	fiber_offload(FIBER_POOL_LOOKUP, job, &n);
	*(int *)arg += n;
}

static void offload_main(void *arg)
{
	struct fiber *f[8];
	loop_thread = pthread_self();
	for (size_t i = 0; i < ARRAY_LEN(f); i++) {
		f[i] = fiber_spawn("offloader", 0, offloader, arg);
		fiber_hold(f[i]);
	}
	fiber_yield();
	fiber_cancel(f[0]); /* it waits for its job all the same */
	for (size_t i = 0; i < ARRAY_LEN(f); i++) {
		fiber_join(f[i], fiber_deadline(10000));
		fiber_release(f[i]);
	}
	fiber_stop(7);
}

static void test_offload(void **state)
{
	int done = 0;
	(void)state;
	in_threads = most = 0;
	run(offload_main, &done);
	assert_int_equal(done, 16);
	assert_int_equal(in_threads, 16);
	assert_true(most >= 2);
}

/* --- many, deep, signals ----------------------------------------------------------------------- */

static unsigned deep(unsigned n)
{
	volatile char frame[256];
	frame[n % sizeof(frame)] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + 1u + (unsigned)frame[n % sizeof(frame)] * 0u;
}

static void one_of_many(void *arg)
{
	unsigned long *sum = arg;
	*sum += deep(100);
	fiber_sleep(1);
	*sum += deep(100);
}

static void many_main(void *arg)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++)
			if (!fiber_spawn("many", 0, one_of_many, arg))
				note("no stack");
		while (fiber_count() > 1)
			fiber_sleep(1);
	}
	fiber_stop(7);
}

static void test_many(void **state)
{
	unsigned long sum = 0;
	(void)state;
	run(many_main, &sum);
	assert_string_equal(trace, "");
	assert_int_equal(sum, 3 * 500 * 200);
}

static void trim_sleeper(void *arg)
{
	volatile char before[8192];
	for (size_t i = 0; i < sizeof(before); i++)
		before[i] = (char)i;
	deep(200);
	fiber_sleep(1300);
	for (size_t i = 0; i < sizeof(before); i++)
		if (before[i] != (char)i)
			note("damaged");
	*(unsigned *)arg = deep(200);
}

static void trim_main(void *arg)
{
	struct fiber *f = fiber_spawn("trim", 0, trim_sleeper, arg);
	fiber_hold(f);
	noted(fiber_join(f, fiber_deadline(10000)));
	fiber_release(f);
	fiber_stop(7);
}

static void test_idle_stack(void **state)
{
	unsigned got = 0;
	(void)state;
	run(trim_main, &got);
	assert_string_equal(trace, "1 ");
	assert_int_equal(got, 200);
}

static void signal_main(void *arg)
{
	(void)arg;
	noted(fiber_wait_signal(SIGUSR1, fiber_deadline(2)));
	kill(getpid(), SIGUSR1);
	noted(fiber_wait_signal(SIGUSR1, fiber_deadline(1000)));
	noted(fiber_wait_signal(SIGUSR1, fiber_deadline(2)));
	fiber_stop(7);
}

static void test_signal(void **state)
{
	(void)state;
	run(signal_main, NULL);
	assert_string_equal(trace, "0 1 0 ");
}

static void forgotten(void *arg)
{
	fiber_sleep(100000);
	note(arg);
}

static void abandon_main(void *arg)
{
	(void)arg;
	if (!fiber_spawn("forgotten", 0, forgotten, D))
		return;
	fiber_yield();
	fiber_stop(7);
}

/* A shielded fiber sees its cancel in no wait; when the shield is gone, in each. */
static struct fiber_event *happened;
static struct fiber_sem *places;
static struct fiber_chan *box;

static void shielded(void *arg)
{
	void *item;
	(void)arg;
	bool before = fiber_shield(true);
	note(fiber_sleep(1) == 1 && fiber_cancelled() ? "cancelled" : "?");
	noted(fiber_event_wait(happened, fiber_deadline(5000)));
	noted(fiber_sem_take(places, fiber_deadline(5000)));
	noted(fiber_chan_send(box, A, fiber_deadline(5000)));
	noted(fiber_chan_recv(box, &item, fiber_deadline(5000)));
	fiber_shield(before);
	noted(fiber_event_wait(happened, fiber_deadline(5000)));
	noted(fiber_sem_take(places, fiber_deadline(5000)));
	noted(fiber_chan_send(box, A, fiber_deadline(5000)));
}

static void shield_main(void *arg)
{
	(void)arg;
	happened = fiber_event_new();
	places = fiber_sem_new(2);
	box = fiber_chan_new(2);
	struct fiber *f = fiber_spawn("shielded", 0, shielded, NULL);
	fiber_hold(f);
	fiber_yield(); /* it sleeps */
	fiber_cancel(f);
	fiber_sleep(20);
	fiber_event_set(happened);
	noted(fiber_join(f, fiber_deadline(5000)));
	fiber_release(f);
	fiber_event_free(happened);
	fiber_sem_free(places);
	fiber_chan_free(box);
	fiber_stop(7);
}

static void test_shield(void **state)
{
	(void)state;
	run(shield_main, NULL);
	assert_string_equal(trace, "cancelled 1 1 1 1 -1 -1 -1 1 ");
}

/* What still waits when the loop ends is cancelled and runs to its end. */
static void test_stop_unwinds(void **state)
{
	(void)state;
	run(abandon_main, NULL);
	assert_string_equal(trace, "D ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spawn_yield_join), cmocka_unit_test(test_sleep_cancel),
		cmocka_unit_test(test_wait_fd), cmocka_unit_test(test_wait_without_loop),
		cmocka_unit_test(test_sync), cmocka_unit_test(test_offload),
		cmocka_unit_test(test_many), cmocka_unit_test(test_idle_stack),
		cmocka_unit_test(test_signal), cmocka_unit_test(test_shield), cmocka_unit_test(test_stop_unwinds),
	};
	log_init("merpati/test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
