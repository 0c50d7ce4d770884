#include "lib/sys/clock.h"

#ifdef MERPATI_FAULTS
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/num.h"

/* The first call fixes the origin, from which scaled time runs; a race writes the same values twice. */
static struct {
	int64_t scale; /* 0: not read yet */
	int64_t wall0_ns, mono0_ns;
	int64_t shift_s; /* of the wall clock */
	/* two numbers that a test may change while processes run: more of the shift, and when scaled time began
	 * for all of them; NULL: none */
	const int64_t *file;
} scaled;

/* Mapped by the first call, which is before any jail. */
static const int64_t *map_file(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return NULL;
	void *p = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static int64_t shift_s(void)
{
	int64_t s = __atomic_load_n(&scaled.shift_s, __ATOMIC_RELAXED);
	return scaled.file ? s + __atomic_load_n(scaled.file, __ATOMIC_RELAXED) : s;
}

static int64_t raw_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t scale(void)
{
	int64_t n = __atomic_load_n(&scaled.scale, __ATOMIC_ACQUIRE);
	if (n != 0)
		return n;
	const char *z = getenv("MERPATI_CLOCK_SCALE");
	uint32_t v = 1;
	if (!z || num_u32(sv_z(z), &v) < 0 || v == 0 || v > 1000000)
		v = 1;
	const char *shift = getenv("MERPATI_CLOCK_SHIFT");
	if (!shift || num_i64(sv_z(shift), &scaled.shift_s) < 0)
		scaled.shift_s = 0;
	scaled.file = map_file(getenv("MERPATI_CLOCK_FILE"));
	scaled.wall0_ns = raw_ns(CLOCK_REALTIME);
	if (scaled.file && scaled.file[1] > 0) {
		int64_t began_ns = scaled.file[1] * 1000000000;
		scaled.wall0_ns = began_ns + (scaled.wall0_ns - began_ns) * (int64_t)v;
	}
	scaled.mono0_ns = raw_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&scaled.scale, (int64_t)v, __ATOMIC_RELEASE);
	return (int64_t)v;
}

int64_t clock_mono_ms(void)
{
	int64_t n = scale();
	int64_t now = raw_ns(CLOCK_MONOTONIC);
	return (scaled.mono0_ns + (now - scaled.mono0_ns) * n) / 1000000;
}

struct timespec clock_wall(void)
{
	int64_t n = scale();
	/* the distance comes from the monotonic clock only when scaled, so that a plain build follows
	 * corrections of the system's clock */
	int64_t ns = n == 1 ? raw_ns(CLOCK_REALTIME) :
			      scaled.wall0_ns + (raw_ns(CLOCK_MONOTONIC) - scaled.mono0_ns) * n;
	ns += shift_s() * 1000000000;
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

void clock_wall_shift(int64_t s)
{
	(void)scale();
	__atomic_store_n(&scaled.shift_s, s, __ATOMIC_RELAXED);
}

int64_t clock_real_ms(int64_t scaled_ms)
{
	int64_t n = scale();
	return n == 1 ? scaled_ms : (scaled_ms + n - 1) / n;
}

#else

int64_t clock_mono_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct timespec clock_wall(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return ts;
}

int64_t clock_real_ms(int64_t scaled_ms)
{
	return scaled_ms;
}

#endif

int64_t clock_cost_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_s(void)
{
	return (int64_t)clock_wall().tv_sec;
}

int clock_tz_min(int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;
	return localtime_r(&at, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
}
