/*
 * lib/wire/smtp_data.h - the octets after DATA: find their end, undo dot-stuffing, LF line ends.
 *
 * Layer:     wire (pure: a state of a few octets, no allocation but the caller's buffer).
 * Errors:    -1 only when OUT is at its ceiling; no content is an error here.
 * Security:  "." ends the message only when its own line and the line before both ended in
 *            <CR><LF> (SMTP smuggling, CVE-2023-51764); the result does not depend on how the
 *            octets were cut into segments. Any line length: no state grows with it, so that no
 *            internally split line can look like ".".
 * Standards: RFC 5321 2.3.8, 4.1.1.4, 4.5.2.
 *
 * Content: <CR><LF> and (but in mode NO as well) a lone <LF> are line ends, written as LF; a CR
 * that no LF follows becomes a blank; NUL is dropped. One '.' at the start of a line is removed.
 * A lone "." line that is not the end stays ".". A missing last line end cannot happen.
 */
#ifndef WIRE_SMTP_DATA_H
#define WIRE_SMTP_DATA_H

#include "lib/base/buf.h"

enum smtp_bare_newline {
	SMTP_BARE_NL_NO,        /* lone LF ends lines in every respect, also around "." */
	SMTP_BARE_NL_NORMALIZE, /* accepted as line end in content, never around the end */
	SMTP_BARE_NL_REJECT,    /* the same; the caller answers 550 5.5.2 when .bare_lf is not 0 */
	SMTP_BARE_NL_NOTE,      /* the same as NORMALIZE; the caller logs */
};

struct smtp_data {
	enum smtp_bare_newline mode;
	unsigned state;      /* private */
	bool prev_crlf;      /* private: the line before ended in CRLF */
	/* what went through so far */
	uint64_t size;       /* octets written */
	uint64_t crlf_size;  /* the same with CRLF line ends: size + lines */
	uint64_t lines;
	uint64_t longest;    /* longest line written, without its end */
	uint64_t cur_line;   /* private: length of the line being written */
	uint64_t bare_lf, bare_cr, nul;
	bool eightbit;
	bool leading_dots;   /* a written line starts with '.' */
};

/* COMMAND_CRLF: the DATA command itself ended in CRLF (a bare LF there is no line end before
 * "." either). */
void smtp_data_init(struct smtp_data *d, enum smtp_bare_newline mode, bool command_crlf);

/*
 * Take octets from *IN, append content to OUT (never more than in->len + 2 octets).
 *   1  the end was seen: *IN is what follows it (pipelined commands)
 *   0  all of *IN taken, more to come
 *  -1  OUT's ceiling: the state is no longer usable
 */
MUST_USE int smtp_data_feed(struct smtp_data *d, struct sv *in, struct buf *out);

#endif
