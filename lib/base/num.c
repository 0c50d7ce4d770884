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

/* Four bits a step: the table is two cache lines. */
uint32_t num_crc32c_plain(uint32_t seed, const void *data, size_t n)
{
	static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab,
		0xe330a81a, 0xf36e6f75 };
	const unsigned char *p = data;
	uint32_t crc = ~seed;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return ~crc;
}

#ifdef __x86_64__

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t seed, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t crc = (uint32_t)~seed;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;
		memcpy(&v, p, sizeof(v));
		crc = __builtin_ia32_crc32di(crc, v);
	}
	for (; n > 0; n--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}

uint32_t num_crc32c(uint32_t seed, const void *data, size_t n)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(seed, data, n) : num_crc32c_plain(seed, data, n);
}

#else

uint32_t num_crc32c(uint32_t seed, const void *data, size_t n)
{
	return num_crc32c_plain(seed, data, n);
}

#endif
