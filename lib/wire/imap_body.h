/*
 * lib/wire/imap_body.h - ENVELOPE, BODY, BODYSTRUCTURE and the octets of BODY[section].
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Errors:    0, or -1 (OUT's ceiling or arena exhausted).
 * Security:  message content is hostile: every string passes imap_put_string(); the walk over the
 *            part tree is iterative; address fields are read within a token limit.
 * Standards: RFC 9051 2.3.5, 2.3.6, 7.5.2 (envelope, body), 6.4.5 (sections).
 */
#ifndef WIRE_IMAP_BODY_H
#define WIRE_IMAP_BODY_H

#include "lib/mail/mime.h"
#include "lib/wire/imap_fetch.h"

/* "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of the header HEAD. */
MUST_USE int imap_put_envelope(struct buf *out, struct sv head, struct arena *a);
/* "(address address)" or NIL of one address field's body. */
MUST_USE int imap_put_addresses(struct buf *out, struct sv body, struct arena *a);
/* BODY (EXTENDED false) or BODYSTRUCTURE of the tree at ROOT. */
MUST_USE int imap_put_structure(struct buf *out, struct sv message, const struct mime_part *root,
	bool extended, struct arena *a);

struct imap_octets {
	bool nil;            /* no such part: NIL is sent */
	struct mime_range range; /* octets of the message to send, partial not applied */
	bool composed;       /* instead: TEXT holds the selected fields, LF line ends */
	struct sv text;      /* arena */
};

/* What BODY[section] names in MESSAGE. 0, or -1 (arena exhausted). */
MUST_USE int imap_section_find(struct sv message, const struct mime_part *root,
	const struct imap_section *s, struct arena *a, struct imap_octets *out);

#endif
