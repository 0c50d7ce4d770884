/*
 * lib/wire/pop3_cmd.h - one POP3 command line.
 *
 * Layer:     wire (pure: no allocation).
 * Ownership: views into the caller's line.
 * Security:  numbers are plain digits within 1..2^32-1 (TOP's second from 0), nothing wraps
 *            (ATTACKS N01); CR, LF, NUL inside a line are refused.
 * Standards: RFC 1939 3, 5-7; RFC 2449 (CAPA, 255 octets a line); RFC 2595 (STLS); RFC 5034
 *            (AUTH); RFC 6856 (UTF8, LANG).
 */
#ifndef WIRE_POP3_CMD_H
#define WIRE_POP3_CMD_H

#include "lib/base/sv.h"

#define POP3_LINE_MAX 255

#define POP3_VERBS(X)                                                                          \
	X(USER) X(PASS) X(APOP) X(AUTH) X(CAPA) X(STLS) X(STAT) X(LIST) X(RETR) X(DELE) X(NOOP) X(RSET) \
	X(TOP) X(UIDL) X(QUIT) X(UTF8) X(LANG)

enum pop3_verb {
	POP3_UNKNOWN = 0,
#define X(v) POP3_##v,
	POP3_VERBS(X)
#undef X
	POP3_VERB_COUNT
};

struct pop3_cmd {
	enum pop3_verb verb;
	struct sv arg;   /* USER: name; PASS: everything after one blank, blanks kept; APOP: name */
	struct sv arg2;  /* APOP: digest; AUTH: initial response */
	bool has_msg;
	uint32_t msg;    /* LIST RETR DELE TOP UIDL */
	uint32_t lines;  /* TOP */
};

/*
 * LINE without its line end.
 *   1  *out; 0 blank line or unknown verb (verb POP3_UNKNOWN)
 *  -1  known verb with wrong arguments, or forbidden octets: *why for the -ERR text
 */
MUST_USE int pop3_cmd_parse(struct sv line, struct pop3_cmd *out, const char **why);
const char *pop3_verb_name(enum pop3_verb verb);

#endif
