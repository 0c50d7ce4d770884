/*
 * lib/base/base64.h - base64 (RFC 4648 section 4) and hexadecimal.
 *
 * Layer:    base (pure).
 * Security: decoding is strict: no blanks, right padding, zero trailing bits.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "lib/base/buf.h"

/* Append the encoding of S. 0, or -1 at the buffer's ceiling. */
int base64_encode(struct buf *out, struct sv s);
/* Append the decoded octets. 1 done, -1 not base64 or at the ceiling. */
MUST_USE int base64_decode(struct buf *out, struct sv s);
/* Lower-case hexadecimal of S. */
int hex_encode(struct buf *out, struct sv s);

#endif
