/* Unit test of lib/sys/sys.c, clock.c and rand.c. */
#include "tests/support/t.h"

#include <errno.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

static void test_files(void **state)
{
	char path[] = "/tmp/merpati-sys-XXXXXX", other[64], got[16];
	struct stat st;
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	sys_close(fd);
	fd = sys_open(path, O_RDWR | O_TRUNC, 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sys_write_all(fd, "hello world", 11), 0);
	assert_int_equal(sys_pwrite_all(fd, "H", 1, 0), 0);
	assert_int_equal(sys_pread_all(fd, got, 11, 0), 0);
	assert_memory_equal(got, "Hello world", 11);
	assert_int_equal(sys_pread_all(fd, got, 12, 0), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(sys_ftruncate(fd, 5), 0);
	assert_int_equal(sys_fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(sys_fdatasync(fd), 0);
	assert_int_equal(sys_fchmod(fd, 0400), 0);
	snprintf(other, sizeof(other), "%s.b", path);
	assert_int_equal(sys_linkat(AT_FDCWD, path, AT_FDCWD, other), 0);
	assert_int_equal(sys_linkat(AT_FDCWD, path, AT_FDCWD, other), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(sys_unlink(path), 0);
	assert_int_equal(sys_rename(other, path), 0);
	assert_int_equal(sys_fstatat(AT_FDCWD, path, &st, 0), 0);
	assert_int_equal(sys_unlink(path), 0);
	errno = ENOENT;
	sys_close(fd);
	assert_int_equal(errno, ENOENT);
}

static void test_clock(void **state)
{
	(void)state;
	int64_t a = clock_mono_ms();
	assert_true(clock_mono_ms() >= a);
	assert_true(clock_wall_s() > 1600000000);
	assert_true(clock_real_ms(1000) <= 1000);
}

static void test_rand(void **state)
{
	unsigned char block[64] = { 0 }, zero[64] = { 0 };
	(void)state;
	rand_bytes(block, sizeof(block));
	assert_memory_not_equal(block, zero, sizeof(block));
	assert_true(rand_u64() != rand_u64());
}

/* The wall clock may be set, also back; what measures durations does not notice. */
static void test_clock_set_back(void **state)
{
	(void)state;
#ifdef MERPATI_FAULTS
	int64_t wall = clock_wall_s(), mono = clock_mono_ms();
	clock_wall_shift(-86400);
	int64_t diff = clock_wall_s() - wall;
	assert_true(diff >= -86400 && diff < -86300);
	assert_true(clock_mono_ms() >= mono && clock_mono_ms() < mono + 60000);
	clock_wall_shift(0);
	assert_true(clock_wall_s() >= wall);
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_rand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
