#include <endian.h>

#include "lib/base/num.h"

int num_u64(struct sv s, uint64_t *out)
{
	uint64_t v = 0;
	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.p[i]))
			return -1;
		if (__builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -1;
	}
	*out = v;
	return 1;
}

int num_u32(struct sv s, uint32_t *out)
{
	uint64_t v;
	if (num_u64(s, &v) != 1 || v > UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 1;
}

int num_i64(struct sv s, int64_t *out)
{
	bool minus = s.len && s.p[0] == '-';
	uint64_t v;
	if (num_u64(minus ? sv_from(s, 1) : s, &v) != 1 || v > (uint64_t)INT64_MAX)
		return -1;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return 1;
}

int num_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void num_put_le32(void *dst, uint32_t v)
{
	v = htole32(v);
	memcpy(dst, &v, sizeof(v));
}

void num_put_le64(void *dst, uint64_t v)
{
	v = htole64(v);
	memcpy(dst, &v, sizeof(v));
}

uint32_t num_get_le32(const void *src)
{
	uint32_t v;
	memcpy(&v, src, sizeof(v));
	return le32toh(v);
}

uint64_t num_get_le64(const void *src)
{
	uint64_t v;
	memcpy(&v, src, sizeof(v));
	return le64toh(v);
}

uint32_t num_crc32c(uint32_t seed, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t crc = ~seed;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return ~crc;
}
