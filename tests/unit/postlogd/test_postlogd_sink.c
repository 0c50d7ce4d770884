/* Unit test of postlogd/postlogd_sink.c: parameters, a disk that is full for a while, rotation. */
#include "tests/support/t.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "postlogd/postlogd_sink.h"

static char dir[64], file[80], other[80];

static size_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void test_parameters(void **state)
{
	static const struct {
		const char *file, *prefixes, *mode;
		int rc;
	} cases[] = {
		{ "/dev/stdout", "/var, /dev/stdout", "0600", 0 },
		{ "/dev/stdout", "/var /dev", "600", 0 },
		{ "/dev/stdout", "/var", "0600", -1 },
		{ "/dev/stdout2", "/dev/stdout", "0600", -1 },
		{ "relative", "/", "0600", -1 },
		{ "/var/../etc/x", "/var", "0600", -1 },
		{ "/dev/stdout", "/dev/stdout", "0666", -1 },
		{ "/nonexistent/dir/file", "/nonexistent/", "0600", -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct postlogd_sink k;
		struct err e = ERR_INIT;
		int rc = postlogd_sink_open(&k, cases[i].file, cases[i].prefixes, cases[i].mode, &e);
		if (rc != cases[i].rc)
			fail_msg("[%s] [%s]: %d %s", cases[i].file, cases[i].prefixes, rc, e.text);
		postlogd_sink_close(&k);
	}
}

static void open_sink(struct postlogd_sink *k)
{
	struct err e = ERR_INIT;
	assert_int_equal(postlogd_sink_open(k, file, dir, "0640", &e), 0);
}

static void test_rotation(void **state)
{
	struct postlogd_sink k;
	struct stat st;
	(void)state;
	open_sink(&k);
	postlogd_sink_line(&k, "one\n", 4);
	postlogd_sink_flush(&k, 10000);
	assert_int_equal(size_of(file), 4);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(rename(file, other), 0);
	postlogd_sink_line(&k, "two", 3); /* not looked at again within a second */
	postlogd_sink_flush(&k, 10500);
	assert_int_equal(size_of(other), 8);
	postlogd_sink_line(&k, "three", 5);
	postlogd_sink_flush(&k, 11001);
	assert_int_equal(size_of(other), 8);
	assert_int_equal(size_of(file), 6);
	postlogd_sink_close(&k);
	unlink(file);
	unlink(other);
}

#ifdef MERPATI_FAULTS
/* main() has planned: the first two writes to full.log fail. */
static void test_full_disk(void **state)
{
	struct postlogd_sink k;
	char line[1500], told[3000];
	int p[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p), 0);
	log_to_fd(p[0]);
	snprintf(file, sizeof(file), "%s/full.log", dir);
	open_sink(&k);
	memset(line, 'x', sizeof(line));
	postlogd_sink_line(&k, line, sizeof(line));
	postlogd_sink_flush(&k, 1);
	assert_int_equal(k.why, ENOSPC);
	for (int i = 0; i < 800; i++)
		postlogd_sink_line(&k, line, sizeof(line));
	assert_true(k.lost > 50 && k.lost < 200);
	unsigned long lost = k.lost;
	postlogd_sink_flush(&k, 2);
	postlogd_sink_flush(&k, 3);
	assert_int_equal(size_of(file), (801 - lost) * (sizeof(line) + 1));
	assert_int_equal(k.lost, 0);
	ssize_t n = recv(p[1], told, sizeof(told) - 1, 0);
	assert_true(n > 0);
	told[n] = '\0';
	assert_non_null(strstr(told, "log lines were lost: No space left on device"));
	postlogd_sink_close(&k);
	log_to_fd(-1);
	close(p[1]);
	unlink(file);
}
#endif

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/merpati-sink-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/mail.log", dir);
	snprintf(other, sizeof(other), "%s/mail.log.1", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_rotation),
#ifdef MERPATI_FAULTS
		cmocka_unit_test(test_full_disk),
#endif
	};
	setenv("MERPATI_FAULT", "*:write:*/full.log:1:ENOSPC,*:write:*/full.log:2:ENOSPC", 1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
