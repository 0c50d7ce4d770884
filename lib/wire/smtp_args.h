/*
 * lib/wire/smtp_args.h - arguments of MAIL FROM, RCPT TO, HELO, VRFY, BDAT, XCLIENT, XFORWARD.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Ownership: results live in the arena or are views into the argument.
 * Errors:    1 done; -1 refused, with the reply to give in *fault (Postfix's codes and texts).
 * Security:  strict: parameters once each, values checked, decoded xtext without control octets
 *            (ATTACKS D15). No part of the client's text stands in the reply but escaped.
 * Standards: RFC 5321 4.1.1, RFC 1870 (SIZE), 6152 (BODY), 6531 (SMTPUTF8), 3461 (RET ENVID NOTIFY
 *            ORCPT), 4954 5 (AUTH=), 3030 (BDAT).
 */
#ifndef WIRE_SMTP_ARGS_H
#define WIRE_SMTP_ARGS_H

#include "lib/base/arena.h"
#include "lib/mail/addr.h"
#include "lib/mail/dsn.h"

struct smtp_fault {
	int code;             /* 501 */
	struct dsn_code dsn;  /* 5.5.4 */
	char text[160];       /* "Syntax: MAIL FROM:<address>", printable ASCII */
};

/* Which parameters the client may use (what EHLO offered to it), and how paths are read. */
enum smtp_args_flags {
	SMTP_ARGS_STRICT = 1 << 0,   /* strict_rfc821_envelopes */
	SMTP_ARGS_SIZE = 1 << 1,
	SMTP_ARGS_8BITMIME = 1 << 2,
	SMTP_ARGS_SMTPUTF8 = 1 << 3, /* offered; the address may be UTF-8 only with the parameter */
	SMTP_ARGS_DSN = 1 << 4,
	SMTP_ARGS_AUTH = 1 << 5,
	SMTP_ARGS_UTF8_NOW = 1 << 6, /* RCPT, VRFY: the transaction is SMTPUTF8 */
};

enum smtp_body { SMTP_BODY_UNSET, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_mail {
	struct sv sender;  /* internal form, NUL-terminated; empty for <> */
	uint64_t size;     /* 0: not given */
	enum smtp_body body;
	bool smtputf8;
	enum dsn_ret ret;
	struct sv envid;   /* as sent (xtext), or empty */
	bool has_auth;
	struct sv auth;    /* AUTH=: decoded, empty for <> */
};

struct smtp_rcpt {
	struct sv recipient; /* internal form, NUL-terminated */
	unsigned notify;     /* enum dsn_notify bits; 0: not given */
	struct sv orcpt;     /* "rfc822;xtext" as sent, or empty */
};

/* ARG is what follows the verb: "FROM:<a@b> SIZE=100". */
MUST_USE int smtp_mail_parse(struct sv arg, unsigned flags, struct arena *a,
	struct smtp_mail *out, struct smtp_fault *fault);
MUST_USE int smtp_rcpt_parse(struct sv arg, unsigned flags, struct arena *a,
	struct smtp_rcpt *out, struct smtp_fault *fault);
/* VRFY: an address with or without <>, optionally followed by SMTPUTF8. */
MUST_USE int smtp_vrfy_parse(struct sv arg, unsigned flags, struct arena *a, struct sv *address,
	bool *smtputf8, struct smtp_fault *fault);
/* HELO/EHLO: one word of printable octets; the name is a view. Its validity as a host name is
 * policy (reject_invalid_helo_hostname), not grammar. */
MUST_USE int smtp_helo_parse(struct sv arg, bool extended, struct sv *name,
	struct smtp_fault *fault);
/* BDAT: "<digits> [LAST]"; sizes over 2^63-1 are refused: the stream cannot be followed then. */
MUST_USE int smtp_bdat_parse(struct sv arg, uint64_t *size, bool *last, struct smtp_fault *fault);

/*
 * XCLIENT and XFORWARD: cut the next "NAME=value" off *REST; the xtext value is decoded into the
 * arena. "[UNAVAILABLE]" and "[TEMPUNAVAIL]" are left to the caller.
 *   1 one more, 0 end, -1 *fault
 */
MUST_USE int smtp_attr_next(struct sv *rest, struct arena *a, struct sv *name, struct sv *value,
	struct smtp_fault *fault);

#endif
