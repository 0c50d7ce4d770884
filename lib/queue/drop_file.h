/*
 * lib/queue/drop_file.h - a mail of a local user on its way to pickup: in maildrop/ or over public/submit.
 *
 * Layer:     queue (pure: no I/O).
 * Ownership: a record's views point into the caller's octets.
 * Errors:    drop_next(): 1 a record, 0 needs more octets, -1 malformed (*why names it).
 * Security:  written by any local user: a whitelist of types in a fixed order, every length bounded, END
 *            carries a CRC and must be last. What is not listed here (client facts, flags) cannot be said.
 *
 * "MPDROP1\n", then records {u8 type, 3 zero octets, u32 length, octets}: facts (each once), recipients,
 * content in pieces, END with the CRC-32C of everything before it.
 */
#ifndef QUEUE_DROP_FILE_H
#define QUEUE_DROP_FILE_H

#include "lib/base/buf.h"

#define DROP_MAGIC       "MPDROP1\n"
#define DROP_HEAD        8            /* magic, and a record's head */
#define DROP_PIECE_MAX   (64 * 1024)  /* octets of content in one record */
#define DROP_ADDRESS_MAX 1024
#define DROP_RCPTS_MAX   100000u

enum drop_type {
	DROP_SENDER = 'S',    /* internal form; empty for <>; mandatory, first */
	DROP_FULL_NAME = 'F',
	DROP_ID = 'I',        /* random, made by sendmail: the same mail by two ways has the same */
	DROP_ENVID = 'E',     /* decoded */
	DROP_RET = 'r',       /* u32 enum queue_ret */
	DROP_BODY = 'B',      /* "7BIT", "8BITMIME" */
	DROP_UTF8 = 'u',      /* empty: SMTPUTF8 */
	DROP_TRACE = 't',     /* u32 enum drop_trace */
	DROP_ORCPT = 'O',     /* of the recipient that follows: "type;address", decoded */
	DROP_RCPT = 'R',      /* u32 NOTIFY bits, address in internal form */
	DROP_CONTENT = 'N',   /* LF line ends */
	DROP_END = 'X',       /* u32 CRC */
};

/* Report by mail what became of the recipients. */
enum drop_trace {
	DROP_TRACE_VERIFY = 1, /* deliver nothing (sendmail -bv) */
	DROP_TRACE_REPORT = 2, /* of the first attempt (sendmail -v) */
};

struct drop_record {
	enum drop_type type;
	struct sv data;   /* of a recipient: its address */
	uint32_t number;  /* DROP_RET, DROP_TRACE, DROP_RCPT (notify), DROP_END (CRC) */
};

/* State of a reader; zero it to start. */
struct drop_reader {
	unsigned stage;   /* 0 magic, 1 facts, 2 recipients, 3 content, 4 ended */
	unsigned seen;    /* bits of the facts that came */
	uint32_t rcpts;
	bool orcpt;       /* the next record must be a recipient */
	uint32_t crc;
	uint64_t content; /* octets */
};

/* The next record at the start of IN; *used octets may be dropped then (also when 0 is returned). */
MUST_USE int drop_next(struct drop_reader *d, struct sv in, struct drop_record *r, size_t *used,
	const char **why);
/* END was read: the mail is whole. */
bool drop_ended(const struct drop_reader *d);

/* Writing: append to OUT, keep the order above. 0, or -1 at the ceiling. */
int drop_put_magic(struct buf *out);
int drop_put(struct buf *out, enum drop_type type, struct sv data);
int drop_put_number(struct buf *out, enum drop_type type, uint32_t number, struct sv data);
/* Content of any size, cut into pieces. */
int drop_put_content(struct buf *out, struct sv octets);
/* END for the octets in OUT, which must be the whole file so far. */
int drop_put_end(struct buf *out);

#endif
