/*
 * lib/mail/idna.h - internationalized domain names: U-labels to A-labels and back.
 *
 * Layer:     mail (pure; libidn2 when built WITH_IDN).
 * Errors:    1 done, -1 not convertible, with the reason in *e (class PERM); without libidn2 every
 *            name that is not ASCII is refused with a text that says so.
 * Security:  names that do not survive the round trip (invalid punycode, joiners out of place)
 *            are refused, never repaired.
 * Standards: RFC 5890-5893, UTS #46 non-transitional.
 */
#ifndef MAIL_IDNA_H
#define MAIL_IDNA_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

bool idna_available(void);
/* ASCII names are copied in lower case. */
MUST_USE int idna_to_ascii(struct buf *out, struct sv domain, struct err *e);
MUST_USE int idna_to_unicode(struct buf *out, struct sv domain, struct err *e);

#endif
