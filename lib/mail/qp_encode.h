/*
 * lib/mail/qp_encode.h - quoted-printable, in pieces.
 *
 * Layer:     mail (pure).
 * Errors:    0, or -1 at OUT's ceiling.
 * Standards: RFC 2045 6.7: lines of at most 76 characters, no blank at the end of a line.
 *
 * Line ends are LF; one that CR precedes is a line end, too, and leaves as LF. transfer.h decodes.
 */
#ifndef MAIL_QP_ENCODE_H
#define MAIL_QP_ENCODE_H

#include "lib/base/buf.h"

struct qp_encoder {
	unsigned column; /* private: characters of this line so far */
	char held;       /* private: a blank or CR whose form the next octet decides */
};

void qp_encode_init(struct qp_encoder *q);
/* Append IN encoded; at most 5 * in.len + 8 octets. */
MUST_USE int qp_encode(struct qp_encoder *q, struct sv in, struct buf *out);
/* The end, which need not be the end of a line. */
MUST_USE int qp_encode_finish(struct qp_encoder *q, struct buf *out);

#endif
