/*
 * lib/queue/queue_file.h - the file of one mail: its format as pure codecs. doc/queue.md has the states.
 *
 * Layer:     queue (this header: pure, no I/O; readers are in queue_mail.h, the writer in queue_commit.h).
 * Ownership: decoded views point into the caller's octets.
 * Security:  a file may hold any octets: every offset and length is checked against the file's size.
 *
 * Format 1, little-endian:
 *   0    header, QUEUE_HEADER_SIZE octets, with a CRC of its own; written last
 *   256  content, LF line ends, contiguous
 *   ..   envelope: records {u8 type, u8 cell, u16 zero, u32 length, octets}: facts, recipients, END
 * The file ends with END. The envelope's CRC counts cells as zero: a cell is the one octet that changes
 * after commit, set by qmgr alone (cleanup may commit it as EXPANDED). A recipient's identity is the
 * offset of its record in the file.
 */
#ifndef QUEUE_QUEUE_FILE_H
#define QUEUE_QUEUE_FILE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/queue/queue_id.h"

#define QUEUE_HEADER_SIZE    256
#define QUEUE_RECORD_HEAD    8
#define QUEUE_CELL_AT        1            /* of a record's octets */
#define QUEUE_FORMAT_VERSION 1
#define QUEUE_FACTS_MAX      (128 * 1024) /* all records before the first recipient */
#define QUEUE_RCPT_MAX       (16 * 1024)  /* one recipient record with its head */
#define QUEUE_ENVELOPE_MAX   (256 * 1024 * 1024)
#define QUEUE_END_SIZE       (QUEUE_RECORD_HEAD + 16)

/* What the content needs on its way out. */
enum queue_content_flag {
	QUEUE_CONTENT_8BIT = 1,         /* octets over 127 */
	QUEUE_CONTENT_NUL = 2,
	QUEUE_CONTENT_BARE_CR = 4,
	QUEUE_CONTENT_LEADING_DOT = 8,  /* a line starts with '.' */
	QUEUE_CONTENT_8BIT_HEADER = 16, /* octets over 127 in the header part */
};

enum queue_mail_flag {
	QUEUE_MAIL_SMTPUTF8 = 1,   /* may go only to who takes SMTPUTF8 */
	QUEUE_MAIL_REINJECTED = 2, /* nonce made from a parent or a DROP_ID: deliveries always look the key up */
	QUEUE_MAIL_VERIFY = 4,     /* deliver nothing, report what would happen (sendmail -bv) */
	QUEUE_MAIL_REPORT = 8,     /* report the first attempt to the sender (sendmail -v) */
};

/* NOTIFY of a recipient, bits; 0 is the default. */
enum queue_notify {
	QUEUE_NOTIFY_NEVER = 1,
	QUEUE_NOTIFY_SUCCESS = 2,
	QUEUE_NOTIFY_FAILURE = 4,
	QUEUE_NOTIFY_DELAY = 8,
};

enum queue_ret { QUEUE_RET_NONE = 0, QUEUE_RET_FULL = 1, QUEUE_RET_HDRS = 2 };

/*
 * Cell of a recipient. Any two differ in four bits: one flipped bit makes none of them out of another, and
 * an unknown value counts as PENDING (deliver twice rather than never).
 */
enum queue_cell {
	QUEUE_CELL_PENDING = 0x00,
	QUEUE_CELL_DELIVERED = 0x33,
	QUEUE_CELL_BOUNCED = 0x55, /* failed for good, and the bounce log knows it */
	QUEUE_CELL_DROPPED = 0x0f, /* done without delivery or report */
	/* written by cleanup: an alias whose members are recipients of their own; only its sender, who asked
	 * for a report of success, is still to be told ("expanded") */
	QUEUE_CELL_EXPANDED = 0x66,
};

enum queue_file_status {
	QUEUE_FILE_OK = 1,
	QUEUE_FILE_INCOMPLETE = 2, /* no header yet: never committed, never delivered */
	QUEUE_FILE_CORRUPT = 3,    /* a header, and something contradicts it: to corrupt/ */
	QUEUE_FILE_UNKNOWN = 4,    /* a format version that is not ours: to hold/ */
};

struct queue_header {
	uint64_t nonce;
	uint64_t content_offset;
	uint64_t content_size; /* with LF line ends */
	uint64_t crlf_size;    /* the same content with CRLF line ends */
	uint64_t envelope_offset;
	uint64_t envelope_size; /* with END */
	uint64_t rcpt_offset;   /* of the first recipient record */
	uint64_t longest_line;  /* octets, line end not counted */
	int64_t arrival_us;
	uint32_t content_flags; /* enum queue_content_flag */
	uint32_t mail_flags;    /* enum queue_mail_flag */
	uint32_t rcpt_count;
	uint32_t content_crc;  /* CRC-32C */
	uint32_t envelope_crc; /* the same; cells as zero, END excluded */
	char id[QUEUE_ID_MAX + 1];
};

/* Facts about a mail; absent ones are empty. X(field, record type) is the only list of them. */
#define QUEUE_FACTS(X)          \
	X(sender, 'S')          \
	X(envid, 'E')           \
	X(body_type, 'B')       \
	X(client_name, 'n')     \
	X(client_addr, 'a')     \
	X(client_port, 'p')     \
	X(helo_name, 'h')       \
	X(protocol, 'P')        \
	X(rewrite_context, 'x') \
	X(sasl_username, 'u')   \
	X(sasl_method, 'm')     \
	X(origin, 'o')          \
	X(message_id, 'i')

struct queue_facts {
#define X(field, type) struct sv field;
	QUEUE_FACTS(X)
#undef X
	uint32_t ret; /* enum queue_ret */
	int64_t uid;  /* of the local submitter, -1 unknown */
};

struct queue_rcpt {
	uint64_t offset;    /* identity */
	struct sv address;  /* internal form (unquoted) */
	struct sv original; /* as first given; when read never empty: the address when no other was stored */
	struct sv orcpt;    /* "rfc822;user@x", decoded, or empty */
	uint32_t notify;    /* enum queue_notify bits */
	enum queue_cell cell;
	bool cell_unknown; /* the octet was none of ours; .cell says PENDING */
};

void queue_header_encode(const struct queue_header *h, unsigned char out[QUEUE_HEADER_SIZE]);
/* QUEUE_FILE_OK: *out holds offsets that lie within FILE_SIZE and agree with each other. */
enum queue_file_status queue_header_decode(
	const unsigned char in[QUEUE_HEADER_SIZE], uint64_t file_size, struct queue_header *out);

/* Append records. 0, or -1 at the buffer's ceiling or when a field is longer than a reader takes. */
MUST_USE int queue_facts_encode(const struct queue_facts *f, struct buf *out);
MUST_USE int queue_rcpt_encode(const struct queue_rcpt *r, struct buf *out); /* not .offset; the cell as 0 */
MUST_USE int queue_end_encode(const struct queue_header *h, struct buf *out);

/* All facts out of IN, which they must fill exactly. 1 or -1. Unknown types are skipped. */
MUST_USE int queue_facts_decode(struct sv in, struct queue_facts *out);
/* The record at the start of IN. 1 *r (without .offset) and *used; 0 IN is too short; -1 not a recipient. */
MUST_USE int queue_rcpt_decode(struct sv in, struct queue_rcpt *r, size_t *used);
/* 1 the END record of this header; -1. */
MUST_USE int queue_end_check(struct sv in, const struct queue_header *h);

/* NOTIFY of the members of an alias that had NOTIFY itself and became several (RFC 3461 5.2.7.3 c). */
uint32_t queue_notify_of_members(uint32_t notify);

/* Nonce of a mail that is re-injected for recipient PARENT_OFFSET of mail PARENT_NONCE. */
uint64_t queue_nonce_derive(uint64_t parent_nonce, uint64_t parent_offset, struct sv expansion);

#endif
