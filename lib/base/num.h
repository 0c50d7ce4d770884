/*
 * lib/base/num.h - strict numbers from text: no sign games, no blanks, no wrap-around.
 *
 * Layer:  base (pure).
 * Errors: 1 parsed; -1 not a number of that kind, or out of range (*out untouched).
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "lib/base/sv.h"

/* Decimal digits only, all of S. */
MUST_USE int num_u32(struct sv s, uint32_t *out);
MUST_USE int num_u64(struct sv s, uint64_t *out);
/* An optional '-' before the digits. */
MUST_USE int num_i64(struct sv s, int64_t *out);
/* Value of a hex digit, or -1. */
int num_hex(char c);

/* Little-endian integers in octet strings (files and frames of ours). */
void num_put_le32(void *dst, uint32_t v);
void num_put_le64(void *dst, uint64_t v);
uint32_t num_get_le32(const void *src);
uint64_t num_get_le64(const void *src);

/* CRC-32C of N octets; SEED 0 at the start, the last result to go on. */
uint32_t num_crc32c(uint32_t seed, const void *p, size_t n);
/* The same without the processor's instruction for it; num_crc32c() calls it where there is none. */
uint32_t num_crc32c_plain(uint32_t seed, const void *p, size_t n);

#endif
