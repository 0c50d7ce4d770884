/*
 * lib/wire/smtp_cmd.h - split one SMTP command line into a verb and an argument.
 *
 * Layer:     wire (pure: no allocation).
 * Ownership: struct smtp_cmd holds views into the caller's line.
 * Security:  a line with CR, LF or NUL inside is refused, never repaired: repair is how SMTP
 *            smuggling starts.
 * Standards: RFC 5321 2.4 (verbs ignore case), 4.1.1 (commands); RFC 2033 (LHLO), RFC 3030 (BDAT).
 */
#ifndef WIRE_SMTP_CMD_H
#define WIRE_SMTP_CMD_H

#include "lib/base/sv.h"

/* X(verb): the only list of verbs; enum, names, tests and fuzzer follow it. */
#define SMTP_VERBS(X)                                                                      \
	X(HELO) X(EHLO) X(LHLO) X(MAIL) X(RCPT) X(DATA) X(BDAT) X(RSET) X(NOOP) X(QUIT) X(HELP) \
	X(VRFY) X(EXPN) X(VERB) X(ETRN) X(STARTTLS) X(AUTH) X(XCLIENT) X(XFORWARD)

enum smtp_verb {
	SMTP_UNKNOWN = 0,
#define X(v) SMTP_##v,
	SMTP_VERBS(X)
#undef X
	SMTP_VERB_COUNT
};

struct smtp_cmd {
	enum smtp_verb verb;
	struct sv word; /* the verb as sent, for messages */
	struct sv arg;  /* outer blanks removed; may be empty */
};

/*
 * Parse LINE, given without its line end.
 *   1  *out is filled in (verb may be SMTP_UNKNOWN: reply 502 or 500)
 *   0  blank line: *out untouched
 *  -1  forbidden octet: *out untouched; reply 500 and count an error
 */
MUST_USE int smtp_cmd_parse(struct sv line, struct smtp_cmd *out);
const char *smtp_verb_name(enum smtp_verb verb);

#endif
