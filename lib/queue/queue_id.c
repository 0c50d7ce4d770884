#include "lib/queue/queue_id.h"

#include "lib/sys/rand.h"

static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum {
	BASE_TIME = 52,
	BASE_RANDOM = 51, /* all digits but 'z', which separates */
	SECOND_DIGITS = 6,
	MICRO_DIGITS = 4,
	RANDOM_DIGITS = 7,
	ID_LENGTH = SECOND_DIGITS + MICRO_DIGITS + 1 + RANDOM_DIGITS,
};

_Static_assert(sizeof(digits) - 1 == BASE_TIME, "one digit for each value");

static char *put_digits(char *out, uint64_t v, unsigned n, unsigned base)
{
	for (unsigned i = n; i-- > 0; v /= base)
		out[i] = digits[v % base];
	return out + n;
}

void queue_id_make(int64_t arrival_us, char out[QUEUE_ID_MAX + 1])
{
	uint64_t us = arrival_us > 0 ? (uint64_t)arrival_us : 0;
	char *p = put_digits(out, us / 1000000, SECOND_DIGITS, BASE_TIME);
	p = put_digits(p, us % 1000000, MICRO_DIGITS, BASE_TIME);
	*p++ = 'z';
	p = put_digits(p, rand_u64(), RANDOM_DIGITS, BASE_RANDOM);
	*p = '\0';
}

static int digit_value(char c)
{
	for (int i = 0; i < BASE_TIME; i++)
		if (digits[i] == c)
			return i;
	return -1;
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

char queue_id_hash(struct sv id)
{
	uint32_t h = 2166136261u; /* FNV-1a: spreads, and needs no secret: 16 directories cannot be flooded */
	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.p[i]) * 16777619u;
	return "0123456789ABCDEF"[(h ^ (h >> 16)) & 15];
}
