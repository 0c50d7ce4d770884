/* Unit test of lib/sys/log.c: datagrams to postlogd, a reader that is away, stderr as the way out. */
#include "tests/support/t.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"

static char line[3000];

static void receive(int fd)
{
	ssize_t n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	line[n > 0 ? n : 0] = '\0';
}

static void test_datagrams(void **state)
{
	int p[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
	log_init("merpati/unit");
	assert_string_equal(log_program(), "unit");
	log_to_fd(p[0]);
	log_debug("not shown");
	log_info("to=<%s>", "a\nb");
	receive(p[1]);
	assert_non_null(strstr(line, " merpati/unit["));
	assert_non_null(strstr(line, "]: to=<a?b>\n"));
	log_set_verbose(1);
	log_debug("shown");
	receive(p[1]);
	assert_non_null(strstr(line, "]: debug: shown\n"));
	log_set_verbose(0);
	log_warn("w");
	receive(p[1]);
	assert_non_null(strstr(line, "]: warning: w\n"));
	log_to_fd(-1);
	close(p[1]);
}

/* Nobody reads: one bounded wait, then lines wait or are counted; later they come, with the count. */
static void fill(bool deferred, int64_t most_ms)
{
	int p[2], seen = 0, last = -1;
	bool lost = false, after = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
	log_to_fd(p[0]);
	log_set_deferred(deferred);
	int64_t start = clock_mono_ms();
	for (int i = 0; i < 3000; i++)
		log_info("number=%d %01400d", i, 0);
	assert_true(clock_mono_ms() - start < most_ms);
	assert_false(log_flush(0));
	for (;;) {
		receive(p[1]);
		if (!line[0] && after)
			break;
		if (!line[0] && log_flush(0)) {
			log_info("after");
			after = true;
		}
		const char *at = strstr(line, "number=");
		if (at) { /* in order */
			int n = (int)strtol(at + 7, NULL, 10);
			assert_true(n > last);
			last = n;
			seen++;
		}
		lost = lost || strstr(line, "log lines lost");
	}
	assert_true(lost);
	assert_true(seen > 200 && seen < 3000);
	log_set_deferred(false);
	log_to_fd(-1);
	close(p[1]);
}

static void test_full(void **state)
{
	(void)state;
	fill(false, 4000);
	fill(true, 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
