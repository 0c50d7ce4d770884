/*
 * Codecs of the queue file. Header, offsets in octets:
 *
 *   0 magic "MERPATIQ"    8 u32 version      12 u32 header size
 *  16 nonce              24 content_offset   32 content_size     40 crlf_size
 *  48 envelope_offset    56 envelope_size    64 rcpt_offset      72 longest_line
 *  80 arrival_us         88 u32 content_flags 92 u32 mail_flags  96 u32 rcpt_count
 * 100 u32 content_crc   104 u32 envelope_crc 108 id[32]         140 zero
 * 252 u32 CRC-32C of the octets before it
 *
 * Invariants: content follows the header, the envelope the content, and the file ends with the envelope;
 * octets without a meaning are zero. So every octet but content and cells is fixed by a CRC or a check.
 */
#include "lib/queue/queue_file.h"

#include "lib/base/hash.h"
#include "lib/base/num.h"

static const char magic[8] = { 'M', 'E', 'R', 'P', 'A', 'T', 'I', 'Q' };

enum { AT_CRC = QUEUE_HEADER_SIZE - 4, AT_ID = 108, AT_ZERO = 140 };

/* X(offset, field): the 64-bit and the 32-bit members. */
#define HEADER_U64(X)                                                                     \
	X(16, nonce) X(24, content_offset) X(32, content_size) X(40, crlf_size)           \
	X(48, envelope_offset) X(56, envelope_size) X(64, rcpt_offset) X(72, longest_line)
#define HEADER_U32(X)                                                                     \
	X(88, content_flags) X(92, mail_flags) X(96, rcpt_count) X(100, content_crc) X(104, envelope_crc)

void queue_header_encode(const struct queue_header *h, unsigned char out[QUEUE_HEADER_SIZE])
{
	memset(out, 0, QUEUE_HEADER_SIZE);
	memcpy(out, magic, sizeof(magic));
	num_put_le32(out + 8, QUEUE_FORMAT_VERSION);
	num_put_le32(out + 12, QUEUE_HEADER_SIZE);
#define X(at, field) num_put_le64(out + (at), h->field);
	HEADER_U64(X)
#undef X
	num_put_le64(out + 80, (uint64_t)h->arrival_us);
#define X(at, field) num_put_le32(out + (at), h->field);
	HEADER_U32(X)
#undef X
	memcpy(out + AT_ID, h->id, strnlen(h->id, QUEUE_ID_MAX));
	num_put_le32(out + AT_CRC, num_crc32c(0, out, AT_CRC));
}

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* Offsets agree with each other and with the file. */
static bool header_fits(const struct queue_header *h, uint64_t file_size)
{
	if (h->content_offset != QUEUE_HEADER_SIZE || file_size < QUEUE_HEADER_SIZE + QUEUE_END_SIZE)
		return false;
	uint64_t rest = file_size - QUEUE_HEADER_SIZE;
	if (h->content_size > rest || h->envelope_size != rest - h->content_size)
		return false;
	if (h->envelope_offset != QUEUE_HEADER_SIZE + h->content_size)
		return false;
	if (h->envelope_size < QUEUE_END_SIZE || h->envelope_size > QUEUE_ENVELOPE_MAX)
		return false;
	if (h->rcpt_offset < h->envelope_offset || h->rcpt_offset > file_size - QUEUE_END_SIZE)
		return false;
	if (h->rcpt_offset - h->envelope_offset > QUEUE_FACTS_MAX)
		return false;
	return h->crlf_size >= h->content_size && h->crlf_size <= 2 * h->content_size;
}

enum queue_file_status queue_header_decode(
	const unsigned char in[QUEUE_HEADER_SIZE], uint64_t file_size, struct queue_header *out)
{
	if (all_zero(in, QUEUE_HEADER_SIZE))
		return QUEUE_FILE_INCOMPLETE;
	if (memcmp(in, magic, sizeof(magic)) != 0 ||
		num_get_le32(in + AT_CRC) != num_crc32c(0, in, AT_CRC))
		return QUEUE_FILE_CORRUPT;
	/* every version keeps magic, version and this CRC, so that a damaged one is told from a new one */
	if (num_get_le32(in + 8) != QUEUE_FORMAT_VERSION)
		return QUEUE_FILE_UNKNOWN;
	if (num_get_le32(in + 12) != QUEUE_HEADER_SIZE)
		return QUEUE_FILE_CORRUPT;
	memset(out, 0, sizeof(*out));
#define X(at, field) out->field = num_get_le64(in + (at));
	HEADER_U64(X)
#undef X
	out->arrival_us = (int64_t)num_get_le64(in + 80);
#define X(at, field) out->field = num_get_le32(in + (at));
	HEADER_U32(X)
#undef X
	memcpy(out->id, in + AT_ID, QUEUE_ID_MAX);
	if (!queue_id_valid(sv_z(out->id)) || in[AT_ID + QUEUE_ID_MAX] != 0)
		return QUEUE_FILE_CORRUPT;
	if (!all_zero(in + AT_ZERO, AT_CRC - AT_ZERO) || !header_fits(out, file_size))
		return QUEUE_FILE_CORRUPT;
	return QUEUE_FILE_OK;
}

/* --- records ----------------------------------------------------------------------------------- */

enum { REC_RCPT = 'R', REC_END = '!', REC_RET = 'r', REC_UID = 'U', RCPT_FIXED = 16 };

static int put_head(struct buf *out, char type, size_t len)
{
	unsigned char head[QUEUE_RECORD_HEAD] = { (unsigned char)type };
	num_put_le32(head + 4, (uint32_t)len);
	return buf_put(out, head, sizeof(head));
}

static int put_fact(struct buf *out, char type, struct sv v)
{
	if (v.len == 0)
		return 0;
	if (v.len > QUEUE_FACTS_MAX || put_head(out, type, v.len) < 0)
		return -1;
	return buf_put_sv(out, v);
}

int queue_facts_encode(const struct queue_facts *f, struct buf *out)
{
	size_t start = out->len;
	unsigned char number[8];
#define X(field, type)                              \
	if (put_fact(out, type, f->field) < 0)      \
		return -1;
	QUEUE_FACTS(X)
#undef X
	if (f->ret) {
		num_put_le32(number, f->ret);
		if (put_fact(out, REC_RET, sv_n((const char *)number, 4)) < 0)
			return -1;
	}
	if (f->uid >= 0) {
		num_put_le64(number, (uint64_t)f->uid);
		if (put_fact(out, REC_UID, sv_n((const char *)number, 8)) < 0)
			return -1;
	}
	return out->len - start <= QUEUE_FACTS_MAX ? 0 : -1;
}

/* The record at the start of IN: 1 with its data, 0 IN is too short, -1 reserved octets are set. */
static int take_record(struct sv in, char *type, unsigned char *cell, struct sv *data)
{
	if (in.len < QUEUE_RECORD_HEAD)
		return 0;
	const unsigned char *p = (const unsigned char *)in.p;
	if (p[2] || p[3])
		return -1;
	size_t len = num_get_le32(p + 4);
	if (len > in.len - QUEUE_RECORD_HEAD)
		return 0;
	*type = (char)p[0];
	*cell = p[1];
	*data = sv_n(in.p + QUEUE_RECORD_HEAD, len);
	return 1;
}

static int set_fact(struct queue_facts *f, char type, struct sv data)
{
	switch (type) {
#define X(field, rectype) \
	case rectype: f->field = data; return 1;
		QUEUE_FACTS(X)
#undef X
	case REC_RET:
		if (data.len != 4)
			return -1;
		f->ret = num_get_le32(data.p);
		return f->ret <= QUEUE_RET_HDRS ? 1 : -1;
	case REC_UID:
		if (data.len != 8 || num_get_le64(data.p) > UINT32_MAX)
			return -1;
		f->uid = (int64_t)num_get_le64(data.p);
		return 1;
	case REC_RCPT:
	case REC_END: return -1;
	default: return 1; /* a fact of a later minor version */
	}
}

int queue_facts_decode(struct sv in, struct queue_facts *out)
{
	*out = (struct queue_facts){ .uid = -1 };
#define X(field, type) out->field = SV_NONE;
	QUEUE_FACTS(X)
#undef X
	while (in.len > 0) {
		char type;
		unsigned char cell;
		struct sv data;
		if (take_record(in, &type, &cell, &data) != 1 || cell != 0)
			return -1;
		if (set_fact(out, type, data) < 0)
			return -1;
		in = sv_from(in, QUEUE_RECORD_HEAD + data.len);
	}
	return 1;
}

int queue_rcpt_encode(const struct queue_rcpt *r, struct buf *out)
{
	unsigned char fixed[RCPT_FIXED];
	struct sv original = sv_eq(r->original, r->address) ? SV_NONE : r->original;
	if (r->address.len > QUEUE_RCPT_MAX || original.len > QUEUE_RCPT_MAX || r->orcpt.len > QUEUE_RCPT_MAX)
		return -1;
	size_t len = RCPT_FIXED + r->address.len + original.len + r->orcpt.len;
	if (len + QUEUE_RECORD_HEAD > QUEUE_RCPT_MAX || r->address.len == 0)
		return -1;
	num_put_le32(fixed, r->notify);
	num_put_le32(fixed + 4, (uint32_t)r->address.len);
	num_put_le32(fixed + 8, (uint32_t)original.len);
	num_put_le32(fixed + 12, (uint32_t)r->orcpt.len);
	if (put_head(out, REC_RCPT, len) < 0 || buf_put(out, fixed, sizeof(fixed)) < 0 ||
		buf_put_sv(out, r->address) < 0 || buf_put_sv(out, original) < 0)
		return -1;
	return buf_put_sv(out, r->orcpt);
}

static enum queue_cell cell_of(unsigned char octet, bool *unknown)
{
	*unknown = false;
	switch (octet) {
	case QUEUE_CELL_PENDING: return QUEUE_CELL_PENDING;
	case QUEUE_CELL_DELIVERED: return QUEUE_CELL_DELIVERED;
	case QUEUE_CELL_BOUNCED: return QUEUE_CELL_BOUNCED;
	case QUEUE_CELL_DROPPED: return QUEUE_CELL_DROPPED;
	case QUEUE_CELL_EXPANDED: return QUEUE_CELL_EXPANDED;
	default: *unknown = true; return QUEUE_CELL_PENDING;
	}
}

int queue_rcpt_decode(struct sv in, struct queue_rcpt *r, size_t *used)
{
	char type;
	unsigned char cell;
	struct sv data;
	if (in.len >= QUEUE_RECORD_HEAD && num_get_le32(in.p + 4) > QUEUE_RCPT_MAX - QUEUE_RECORD_HEAD)
		return -1;
	int rc = take_record(in, &type, &cell, &data);
	if (rc != 1)
		return rc;
	if (type != REC_RCPT || data.len < RCPT_FIXED)
		return -1;
	size_t address = num_get_le32(data.p + 4), original = num_get_le32(data.p + 8);
	size_t orcpt = num_get_le32(data.p + 12), room = data.len - RCPT_FIXED;
	if (address == 0 || address > room || original > room - address || orcpt != room - address - original)
		return -1;
	r->offset = 0;
	r->notify = num_get_le32(data.p);
	r->cell = cell_of(cell, &r->cell_unknown);
	r->address = sv_sub(data, RCPT_FIXED, address);
	r->original = original ? sv_sub(data, RCPT_FIXED + address, original) : r->address;
	r->orcpt = sv_from(data, RCPT_FIXED + address + original);
	*used = QUEUE_RECORD_HEAD + data.len;
	return 1;
}

int queue_end_encode(const struct queue_header *h, struct buf *out)
{
	unsigned char data[QUEUE_END_SIZE - QUEUE_RECORD_HEAD];
	num_put_le32(data, h->envelope_crc);
	num_put_le32(data + 4, h->rcpt_count);
	num_put_le64(data + 8, h->nonce);
	if (put_head(out, REC_END, sizeof(data)) < 0)
		return -1;
	return buf_put(out, data, sizeof(data));
}

int queue_end_check(struct sv in, const struct queue_header *h)
{
	char type;
	unsigned char cell;
	struct sv data;
	if (in.len != QUEUE_END_SIZE || take_record(in, &type, &cell, &data) != 1)
		return -1;
	if (type != REC_END || cell != 0 || data.len != QUEUE_END_SIZE - QUEUE_RECORD_HEAD)
		return -1;
	bool same = num_get_le32(data.p) == h->envelope_crc && num_get_le32(data.p + 4) == h->rcpt_count &&
		num_get_le64(data.p + 8) == h->nonce;
	return same ? 1 : -1;
}

uint32_t queue_notify_of_members(uint32_t notify)
{
	if (!(notify & QUEUE_NOTIFY_SUCCESS))
		return notify;
	notify &= ~(uint32_t)QUEUE_NOTIFY_SUCCESS;
	return notify ? notify : QUEUE_NOTIFY_NEVER; /* 0 would mean "nothing was said": failures are told */
}

uint64_t queue_nonce_derive(uint64_t parent_nonce, uint64_t parent_offset, struct sv expansion)
{
	struct hash_seed seed = { .k0 = parent_nonce, .k1 = parent_offset };
	return hash_sip(seed, expansion.p, expansion.len);
}
