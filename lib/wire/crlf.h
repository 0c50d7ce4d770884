/*
 * lib/wire/crlf.h - stored content (LF) to the wire (CRLF), with dot-stuffing where wanted.
 *
 * Layer:     wire (pure; resumable: content may come in pieces).
 * Errors:    0, or -1 at OUT's ceiling (state unusable then).
 * Security:  only CRLF line ends leave, a '.' after every one of them is doubled: no content can
 *            end the transfer early (RFC 5321 4.5.2, RFC 1939 3).
 *
 * An LF that a CR precedes is left alone: files that hold CRLF are sent as they are. Lines that are over .limit
 * (smtp_line_length_limit) are broken as a folded header field is: what follows begins with a blank.
 */
#ifndef WIRE_CRLF_H
#define WIRE_CRLF_H

#include "lib/base/buf.h"

struct crlf {
	bool dots;     /* double leading dots (SMTP DATA, POP3) */
	bool clean_cr; /* a CR that no LF follows becomes a blank (SMTP) */
	size_t limit;  /* longest line, octets: CRLF and a blank come where it would be passed; 0: none */
	size_t column; /* private: octets of this line so far, counted with a limit only */
	bool bol;      /* private: at the start of a line */
	bool cr;       /* private: the octet before was CR */
};

void crlf_init(struct crlf *c, bool dots, bool clean_cr);
/* Append IN converted; at most 2 * in.len + 2 octets, and 3 for each line that is broken. */
MUST_USE int crlf_put(struct crlf *c, struct sv in, struct buf *out);
/* The end: a missing last line end is added (with dots), then ".\r\n" (with dots). */
MUST_USE int crlf_finish(struct crlf *c, struct buf *out);

/* Octets of CONTENT with CRLF line ends and without dot-stuffing. LAST is the octet that precedes
 * CONTENT ('\0' at the start), so that pieces can be added up. */
uint64_t crlf_size(struct sv content, char last);

#endif
