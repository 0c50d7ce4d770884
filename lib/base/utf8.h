/*
 * lib/base/utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF.
 *
 * Layer: base (pure).
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "lib/base/buf.h"

/* Decode one character at the start of S. Its length in octets, or 0 when it is not valid. */
size_t utf8_decode(struct sv s, uint32_t *out);
bool utf8_valid(struct sv s);
/* Append a character. 0, or -1 (ceiling, or not a character). */
int utf8_encode(struct buf *out, uint32_t c);
bool utf8_is_ascii(struct sv s);

#endif
