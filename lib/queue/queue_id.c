#include "lib/queue/queue_id.h"

#include "lib/sys/rand.h"

static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
static const char hash_digits[] = "0123456789ABCDEF";

enum {
	BASE_TIME = 52,
	BASE_RANDOM = 51, /* all digits but 'z', which separates */
	SECOND_DIGITS = 6,
	MICRO_DIGITS = 4,
	RANDOM_DIGITS = 7,
	HASHES = 16,
	TOGETHER_US = 250000, /* ids of so long a time have one sub-directory */
	ID_LENGTH = SECOND_DIGITS + MICRO_DIGITS + 1 + RANDOM_DIGITS,
};

_Static_assert(sizeof(digits) - 1 == BASE_TIME, "one digit for each value");

static char *put_digits(char *out, uint64_t v, unsigned n, unsigned base)
{
	for (unsigned i = n; i-- > 0; v /= base)
		out[i] = digits[v % base];
	return out + n;
}

static int digit_value(char c)
{
	for (int i = 0; i < BASE_TIME; i++)
		if (digits[i] == c)
			return i;
	return -1;
}

/* FNV-1a: spreads, and needs no secret: 16 directories cannot be flooded. */
static uint32_t hash_more(uint32_t h, char c)
{
	return (h ^ (unsigned char)c) * 16777619u;
}

static uint32_t hash_start(const char *p, size_t n)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++)
		h = hash_more(h, p[i]);
	return h;
}

static char hash_end(uint32_t h)
{
	return hash_digits[(h ^ (h >> 16)) & (HASHES - 1)];
}

char queue_id_hash(struct sv id)
{
	return hash_end(hash_start(id.p, id.len));
}

/* Move the last random digit of ID, of which RANDOM is the first, on until ID belongs to the directory WANT.
 * Without success in one of thirty cases. */
static bool aim(char *id, char *random, char want)
{
	char *last = random + RANDOM_DIGITS - 1;
	uint32_t h = hash_start(id, (size_t)(last - id));
	unsigned at = (unsigned)digit_value(*last);
	for (unsigned i = 0; i < BASE_RANDOM; i++) {
		*last = digits[(at + i) % BASE_RANDOM];
		if (hash_end(hash_more(h, *last)) == want)
			return true;
	}
	return false;
}

void queue_id_make(int64_t arrival_us, char out[QUEUE_ID_MAX + 1])
{
	uint64_t us = arrival_us > 0 ? (uint64_t)arrival_us : 0;
	char *p = put_digits(out, us / 1000000, SECOND_DIGITS, BASE_TIME);
	p = put_digits(p, us % 1000000, MICRO_DIGITS, BASE_TIME);
	*p++ = 'z';
	char want = hash_digits[us / TOGETHER_US % HASHES];
	do
		*put_digits(p, rand_u64(), RANDOM_DIGITS, BASE_RANDOM) = '\0';
	while (!aim(out, p, want));
}

bool queue_id_valid(struct sv id)
{
	if (id.len < QUEUE_ID_MIN || id.len > QUEUE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (digit_value(id.p[i]) < 0)
			return false;
	return true;
}

static uint64_t get_digits(const char *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v * BASE_TIME + (uint64_t)digit_value(p[i]);
	return v;
}

int64_t queue_id_time_us(struct sv id)
{
	if (!queue_id_valid(id) || id.len != ID_LENGTH || id.p[SECOND_DIGITS + MICRO_DIGITS] != 'z')
		return 0;
	uint64_t s = get_digits(id.p, SECOND_DIGITS);
	uint64_t us = get_digits(id.p + SECOND_DIGITS, MICRO_DIGITS);
	return us < 1000000 ? (int64_t)(s * 1000000 + us) : 0;
}
