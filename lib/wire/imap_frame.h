/*
 * lib/wire/imap_frame.h - where one IMAP command ends: lines and literals.
 *
 * Layer:     wire (pure: looks at octets, copies none).
 * Security:  hostile, before sign-in too: line length, literal size and total size are bounded
 *            before anything is allocated; LITERAL- allows non-synchronizing literals of 4096
 *            octets at most (RFC 7888 5; ATTACKS M01, M04).
 * Standards: RFC 9051 2.2.1, 4.3; RFC 7888; literal8 (RFC 3516, 6855).
 *
 *     imap_frame_init(&f, &limits);
 *     for (;;) switch (imap_frame_scan(&f, bytes_so_far)) {
 *     case IMAP_FRAME_MORE:    read more, append
 *     case IMAP_FRAME_LITERAL: if (f.sync) send "+ OK"; read on; (APPEND: see below)
 *     case IMAP_FRAME_DONE:    the command is the first f.end octets, CRLF included
 *     ...
 *     }
 * An APPEND's literal is not collected: when LITERAL is announced, the octets up to f.end are
 * "tag APPEND mailbox ... {n}CRLF", given to imap_append_args(); then the caller takes n octets
 * off the stream itself and calls imap_frame_literal_elsewhere().
 */
#ifndef WIRE_IMAP_FRAME_H
#define WIRE_IMAP_FRAME_H

#include "lib/base/sv.h"

struct imap_frame_limits {
	size_t line;     /* octets between literals, without CRLF */
	size_t literal;  /* one collected literal */
	size_t total;    /* whole command */
	size_t nonsync;  /* largest "{n+}": 4096 with LITERAL-, as literal with LITERAL+ */
	uint64_t append; /* largest literal whose command is APPEND: may be over .literal */
};

enum imap_frame_result {
	IMAP_FRAME_MORE,            /* an unfinished line or literal */
	IMAP_FRAME_LITERAL,         /* reported once for each literal, when its announcement is complete */
	IMAP_FRAME_DONE,
	IMAP_FRAME_LINE_TOO_LONG,   /* BYE or BAD, then resynchronise or close */
	IMAP_FRAME_LITERAL_TOO_BIG, /* synchronizing: BAD/NO [TOOBIG] instead of "+", the command ends
	                               here; non-synchronizing: its octets follow: BYE */
};

struct imap_frame {
	struct imap_frame_limits lim;
	size_t pos;        /* private: everything before has been looked at */
	size_t line_start; /* private */
	size_t end;        /* DONE: length of the command; LITERAL, TOO_BIG: where its octets start */
	uint64_t literal;  /* announced size */
	bool sync;         /* a "+" is expected */
	bool literal8;
	bool append;       /* this literal is the message of an APPEND (not its mailbox name) */
	size_t skip;       /* private: literal octets still to be jumped over */
	unsigned literals; /* private: announced so far */
};

void imap_frame_init(struct imap_frame *f, const struct imap_frame_limits *lim);
/* BYTES: everything received of this command so far, from its first octet. */
MUST_USE enum imap_frame_result imap_frame_scan(struct imap_frame *f, struct sv bytes);
/* The literal announced last does not come into the buffer. */
void imap_frame_literal_elsewhere(struct imap_frame *f);

#endif
