/*
 * lib/mail/dsn.h - enhanced status codes, xtext, the DSN options of the envelope, report fields.
 *
 * Layer:     mail (pure).
 * Errors:    1 done, 0 not there, -1 malformed or at the ceiling.
 * Security:  decoded xtext never holds control octets; report fields hold no CR, LF, NUL, so that
 *            no address or remote text can add a field of its own (ATTACKS D15, F05).
 * Standards: RFC 3463 (codes), RFC 3461 4 and 5 (xtext, RET ENVID NOTIFY ORCPT), RFC 3464 2.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "lib/base/buf.h"

struct dsn_code {
	uint16_t cls, subject, detail; /* 5.1.1; cls 2, 4 or 5 */
};

#define DSN(c, s, d) ((struct dsn_code){ (c), (s), (d) })
#define DSN_TEXT_MAX 12 /* "5.999.999" and its NUL */

/* The code at the start of S, which must end there or be followed by a blank.
 *   1  *code; *rest, when not NULL, is the text behind it, trimmed left
 *   0  S does not start with a code */
int dsn_parse(struct sv s, struct dsn_code *code, struct sv *rest);
/* "5.1.1" into a caller's array; returns it. */
const char *dsn_format(struct dsn_code code, char dst[DSN_TEXT_MAX]);
/* "5.1.1 text" -> code and text; without a code: DEF and all of S. */
void dsn_split(struct sv s, struct dsn_code def, struct dsn_code *code, struct sv *text);
/* The code with its first digit replaced, as a 4xx reply with a 5.x.x text needs it. */
struct dsn_code dsn_with_class(struct dsn_code code, unsigned cls);

/* NOTIFY= and RET= (bits as they stand in queue records). */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1 << 0,
	DSN_NOTIFY_SUCCESS = 1 << 1,
	DSN_NOTIFY_FAILURE = 1 << 2,
	DSN_NOTIFY_DELAY = 1 << 3,
};
enum dsn_ret { DSN_RET_NONE = 0, DSN_RET_FULL = 1, DSN_RET_HDRS = 2 };

#define DSN_ENVID_MAX 100 /* RFC 3461 4.4: characters before decoding */
#define DSN_ORCPT_MAX 500

/* "SUCCESS,DELAY" or "NEVER"; 0 and NEVER with others: -1. Case ignored, no element twice. */
MUST_USE int dsn_notify_parse(struct sv s, unsigned *mask);
int dsn_notify_format(struct buf *out, unsigned mask);
MUST_USE int dsn_ret_parse(struct sv s, enum dsn_ret *ret);

/* Octets outside "!".."~", and '+' and '=', become +XX. */
int xtext_encode(struct buf *out, struct sv s);
/* Strict: upper-case hex, decoded octets printable ASCII (with UTF8 also valid UTF-8).
 * 1 done, -1 not xtext (OUT unchanged). */
MUST_USE int xtext_decode(struct buf *out, struct sv s, bool utf8);
/* utf-8-addr-xtext / unitext of RFC 6533 3: \x{...} for what does not fit in ASCII. */
int utf8_xtext_encode(struct buf *out, struct sv s);
/* The inverse: \x{...} becomes UTF-8, the rest stays. 1 done; -1 malformed, or a control octet (OUT
 * unchanged). */
MUST_USE int utf8_xtext_decode(struct buf *out, struct sv s);
/* The value of ORCPT= as it is kept and reported: "type;address", the address decoded; of type utf-8 in UTF-8
 * where it is well-formed, else as it came (RFC 6533 3). 1; -1 malformed (OUT unchanged). */
MUST_USE int dsn_orcpt_decode(struct buf *out, struct sv orcpt);

/* "rfc822;user@d" -> type and xtext part, both views. -1: no type or no ';'. */
MUST_USE int dsn_addr_split(struct sv s, struct sv *type, struct sv *addr);

/* Report fields (message/delivery-status): "Name: value\n", value cleaned and folded. */
int dsn_field(struct buf *out, const char *name, struct sv value);
/* "Name: type; value\n": Final-Recipient, Original-Recipient, Remote-MTA, Diagnostic-Code. */
int dsn_typed_field(struct buf *out, const char *name, const char *type, struct sv value);

#endif
