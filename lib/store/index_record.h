/*
 * lib/store/index_record.h - keys and values of the index, as octets.
 *
 * Layer:     store (pure).
 * Security:  values are checked (length, CRC-32C) before they are believed; a value that fails is as if
 *            it were not there.
 *
 * Key:   kind (1 octet), GUID of the mailbox (16), then UID (4, big-endian: keys ascend with UIDs) and,
 *        for cached parts, the field (1). Tombstones: kind, delivery key (16). Meta: kind alone.
 * Value: CRC-32C of key, tag and payload (4, little-endian), payload.
 */
#ifndef STORE_INDEX_RECORD_H
#define STORE_INDEX_RECORD_H

#include "lib/base/buf.h"

#define INDEX_FORMAT  1
#define INDEX_MAGIC   "merpati index"
#define INDEX_KEY_MAX 24

enum index_kind {
	INDEX_META = 'm',  /* magic, format */
	INDEX_BOX = 'b',   /* UIDVALIDITY, next UID */
	INDEX_SIZE = 's',  /* size, CRLF size of a file whose name does not tell */
	INDEX_CACHE = 'c', /* part of a message, the caller's octets */
	INDEX_TOMB = 't',  /* when to forget a delivery key */
};

struct index_key {
	unsigned char octets[INDEX_KEY_MAX];
	size_t len;
	uint64_t tag; /* of the mail's base name, 0 for others: not in the key, but in the checksum */
};

struct index_guid {
	unsigned char octets[16];
};

/* 32 hex digits -> octets. 1, or -1. */
MUST_USE int index_guid_parse(struct sv hex, struct index_guid *out);

struct index_key index_key_meta(void);
struct index_key index_key_box(const struct index_guid *g);
/* TAG tells the mail from another one with the same UID (a copied folder has the same GUID). */
struct index_key index_key_mail(
	enum index_kind kind, const struct index_guid *g, uint32_t uid, uint64_t tag);
struct index_key index_key_cache(const struct index_guid *g, uint32_t uid, uint64_t tag, unsigned field);
/* Tag of a base name. */
uint64_t index_tag(struct sv base);
struct index_key index_key_tomb(const struct index_guid *delivery_key);

/* Append the value of PAYLOAD under KEY. 0, or -1 at the ceiling. */
int index_value_seal(struct buf *out, const struct index_key *key, struct sv payload);
/* The payload inside VALUE (a view). 1, or -1: damaged. */
MUST_USE int index_value_open(const struct index_key *key, struct sv value, struct sv *payload);

/* Two numbers, as INDEX_BOX, INDEX_SIZE, INDEX_META and INDEX_TOMB hold them. */
void index_numbers_put(unsigned char out[16], uint64_t a, uint64_t b);
MUST_USE int index_numbers_get(struct sv payload, uint64_t *a, uint64_t *b);

#endif
