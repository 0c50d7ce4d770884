#include "lib/store/index_record.h"

#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/num.h"

int index_guid_parse(struct sv hex, struct index_guid *out)
{
	if (hex.len != 2 * sizeof(out->octets))
		return -1;
	for (size_t i = 0; i < sizeof(out->octets); i++) {
		int hi = num_hex(hex.p[2 * i]), lo = num_hex(hex.p[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return -1;
		out->octets[i] = (unsigned char)(hi * 16 + lo);
	}
	return 1;
}

static struct index_key start(enum index_kind kind, const struct index_guid *g)
{
	struct index_key k = { .len = 1 };
	k.octets[0] = (unsigned char)kind;
	if (g) {
		memcpy(k.octets + 1, g->octets, sizeof(g->octets));
		k.len += sizeof(g->octets);
	}
	return k;
}

struct index_key index_key_meta(void)
{
	return start(INDEX_META, NULL);
}

struct index_key index_key_box(const struct index_guid *g)
{
	return start(INDEX_BOX, g);
}

uint64_t index_tag(struct sv base)
{
	struct hash_seed fixed = { 3, 4 }; /* the same in every process */
	return hash_sip(fixed, base.p, base.len);
}

struct index_key index_key_mail(
        enum index_kind kind, const struct index_guid *g, uint32_t uid, uint64_t tag)
{
	struct index_key k = start(kind, g);
	k.tag = tag;
	for (int shift = 24; shift >= 0; shift -= 8)
		k.octets[k.len++] = (unsigned char)(uid >> shift);
	return k;
}

struct index_key index_key_cache(
        const struct index_guid *g, uint32_t uid, uint64_t tag, unsigned field)
{
	struct index_key k = index_key_mail(INDEX_CACHE, g, uid, tag);
	k.octets[k.len++] = (unsigned char)field;
	return k;
}

struct index_key index_key_tomb(const struct index_guid *delivery_key)
{
	return start(INDEX_TOMB, delivery_key);
}

static uint32_t checksum(const struct index_key *key, struct sv payload)
{
	unsigned char tag[8];
	num_put_le64(tag, key->tag);
	uint32_t crc = num_crc32c(num_crc32c(0, key->octets, key->len), tag, sizeof(tag));
	return num_crc32c(crc, payload.p, payload.len);
}

int index_value_seal(struct buf *out, const struct index_key *key, struct sv payload)
{
	unsigned char crc[4];
	num_put_le32(crc, checksum(key, payload));
	return buf_put(out, crc, sizeof(crc)) == 0 ? buf_put_sv(out, payload) : -1;
}

int index_value_open(const struct index_key *key, struct sv value, struct sv *payload)
{
	if (value.len < 4)
		return -1;
	struct sv inner = sv_from(value, 4);
	if (num_get_le32(value.p) != checksum(key, inner))
		return -1;
	*payload = inner;
	return 1;
}

void index_numbers_put(unsigned char out[16], uint64_t a, uint64_t b)
{
	num_put_le64(out, a);
	num_put_le64(out + 8, b);
}

int index_numbers_get(struct sv payload, uint64_t *a, uint64_t *b)
{
	if (payload.len != 16)
		return -1;
	*a = num_get_le64(payload.p);
	*b = num_get_le64(payload.p + 8);
	return 1;
}
