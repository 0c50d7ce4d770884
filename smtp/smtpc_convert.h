/*
 * smtp/smtpc_convert.h - a message for a server without 8BITMIME: 8-bit parts become quoted-printable.
 *
 * Layer:     smtp (pure; memory from the caller's arena).
 * Security:  hostile: the limits of lib/mail/mime.h. What is no MIME, or says nothing of 8 bits, is left as it is.
 * Standards: RFC 6152 3 (what a client may do), RFC 2045 6.
 *
 * Parts that say "8bit" or "binary" and are no multipart or message are encoded, and say "quoted-printable"; those
 * around them say "7bit". Header fields with octets over 127 are not touched. As Postfix does it.
 */
#ifndef SMTP_SMTPC_CONVERT_H
#define SMTP_SMTPC_CONVERT_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mail/mime.h"

/* Takes a piece of the result; not 0: stop, and return that. */
typedef int (*smtpc_convert_fn)(void *ctx, struct sv piece);

/* The structure of MESSAGE (LF line ends), as smtpc_convert() needs it. 0; -1 A is exhausted. */
MUST_USE int smtpc_convert_parse(struct sv message, struct arena *a, struct mime_part **root);
/* Hand MESSAGE to PUT, piece by piece. 0, else what PUT said. */
MUST_USE int smtpc_convert(struct sv message, const struct mime_part *root, smtpc_convert_fn put, void *ctx);

#endif
