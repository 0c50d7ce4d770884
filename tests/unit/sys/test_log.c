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

/* Nobody reads: one bounded wait, then lines are counted; the count is told when somebody reads again. */
static void test_full(void **state)
{
	int p[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
	log_to_fd(p[0]);
	int64_t start = clock_mono_ms();
	for (int i = 0; i < 3000; i++)
		log_info("%01500d", i);
	assert_true(clock_mono_ms() - start < 4000);
	do
		receive(p[1]);
	while (line[0]);
	log_info("after");
	receive(p[1]);
	assert_non_null(strstr(line, ": after\n"));
	receive(p[1]);
	assert_non_null(strstr(line, "log lines lost"));
	log_to_fd(-1);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
