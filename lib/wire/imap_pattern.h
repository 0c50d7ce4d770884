/*
 * lib/wire/imap_pattern.h - LIST patterns against mailbox names.
 *
 * Layer:     wire (pure: state on the stack, no recursion).
 * Security:  time is length of name times length of pattern, whatever the pattern: "*%*%*%..." is
 *            harmless (ATTACKS M09); patterns longer than IMAP_PATTERN_MAX match nothing.
 * Standards: RFC 9051 6.3.9 ('*' and '%').
 */
#ifndef WIRE_IMAP_PATTERN_H
#define WIRE_IMAP_PATTERN_H

#include "lib/base/sv.h"

#define IMAP_PATTERN_MAX 1024

enum imap_match {
	IMAP_MATCH_NO = 0,
	IMAP_MATCH_YES = 1 << 0,
	IMAP_MATCH_BELOW = 1 << 1, /* some name below this one (name DELIM ...) could match */
};

/* INBOX compares without case at the first level. Bits of enum imap_match. */
unsigned imap_pattern_match(struct sv pattern, struct sv name, char delim);

#endif
