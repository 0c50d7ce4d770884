/*
 * lib/mail/transfer.h - decode content transfer encodings, in pieces.
 *
 * Layer:     mail (pure).
 * Errors:    broken input is decoded as far as it makes sense (RFC 2045 6.7, 6.8): garbage in
 *            base64 is skipped, a bad =XX stays as written; -1 only at OUT's ceiling.
 * Security:  output is never longer than input plus three octets; any split gives the same result.
 * Standards: RFC 2045 6.
 */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "lib/base/buf.h"

enum transfer_encoding {
	TRANSFER_7BIT,
	TRANSFER_8BIT,
	TRANSFER_BINARY,
	TRANSFER_QP,
	TRANSFER_BASE64,
	TRANSFER_UNKNOWN, /* passed through */
};

struct transfer_decoder {
	enum transfer_encoding kind;
	uint32_t bits;
	unsigned nbits;
	char held[66];  /* quoted-printable: an unfinished =XX, or blanks that may end a line */
	unsigned nheld;
};

/* The value of a Content-Transfer-Encoding field (comments and blanks around allowed). */
enum transfer_encoding transfer_encoding_of(struct sv value);
const char *transfer_encoding_name(enum transfer_encoding kind);

void transfer_init(struct transfer_decoder *d, enum transfer_encoding kind);
MUST_USE int transfer_decode(struct transfer_decoder *d, struct sv in, struct buf *out);
MUST_USE int transfer_finish(struct transfer_decoder *d, struct buf *out);
/* All at once. 0, or -1 (ceiling). */
MUST_USE int transfer_decode_all(enum transfer_encoding kind, struct sv in, struct buf *out);

#endif
