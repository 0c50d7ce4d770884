/*
 * lib/wire/imap_parse.h - read the parts of one complete IMAP command.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Ownership: strings are views into the command or live in the arena (unescaped quoted strings).
 * Errors:    1 done, 0 not there (optional parts), -1 syntax: p->why says what, for BAD; with
 *            p->arena->exhausted it is a matter of limits instead.
 * Security:  hostile: no recursion; lists nest to IMAP_DEPTH_MAX; NUL, bare CR and bare LF are
 *            refused in atoms and quoted strings, 8-bit octets too unless they are valid UTF-8
 *            in a quoted string (RFC 9051 allows it; ATTACKS M02, M03).
 * Standards: RFC 9051 9 (RFC 3501 9), RFC 7888 (literals), RFC 6855 (UTF8=ACCEPT).
 *
 * The command is the buffer that imap_frame collected: literals stand inline, "{3}CRLFabc", the
 * last CRLF may be there or not.
 */
#ifndef WIRE_IMAP_PARSE_H
#define WIRE_IMAP_PARSE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define IMAP_DEPTH_MAX    16
#define IMAP_TAG_MAX      128
#define IMAP_KEYWORD_MAX  64  /* keywords in one flag list */

struct imap_parser {
	struct sv in;
	size_t pos;
	struct arena *arena;
	bool utf8; /* UTF8=ACCEPT is enabled: mailbox names are UTF-8, not modified UTF-7 */
	const char *why;
};

#define IMAP_VERBS(X)                                                                       \
	X(CAPABILITY) X(NOOP) X(LOGOUT) X(STARTTLS) X(AUTHENTICATE) X(LOGIN) X(ID) X(ENABLE)     \
	X(SELECT) X(EXAMINE) X(CREATE) X(DELETE) X(RENAME) X(SUBSCRIBE) X(UNSUBSCRIBE) X(LIST)    \
	X(LSUB) X(NAMESPACE) X(STATUS) X(APPEND) X(IDLE) X(CHECK) X(CLOSE) X(UNSELECT) X(EXPUNGE) \
	X(SEARCH) X(FETCH) X(STORE) X(COPY) X(MOVE)

enum imap_verb {
	IMAP_UNKNOWN = 0,
#define X(v) IMAP_##v,
	IMAP_VERBS(X)
#undef X
	IMAP_VERB_COUNT
};

struct imap_cmd {
	struct sv tag;
	struct sv word; /* the verb as sent */
	enum imap_verb verb;
	bool uid; /* UID FETCH, UID SEARCH, UID STORE, UID COPY, UID MOVE, UID EXPUNGE */
};

void imap_parser_init(struct imap_parser *p, struct sv command, struct arena *a, bool utf8);

/* Tag and verb. -1: no usable tag when out->tag is empty ("* BAD"), else "tag BAD". */
MUST_USE int imap_cmd_parse(struct imap_parser *p, struct imap_cmd *out);
const char *imap_verb_name(enum imap_verb verb);

/* Single octets and ends. */
MUST_USE int imap_sp(struct imap_parser *p);  /* exactly one blank */
MUST_USE int imap_end(struct imap_parser *p); /* nothing but CRLF is left */
bool imap_peek(const struct imap_parser *p, char c);
bool imap_accept(struct imap_parser *p, char c);

/* Tokens. */
MUST_USE int imap_atom(struct imap_parser *p, struct sv *out);
MUST_USE int imap_string(struct imap_parser *p, struct sv *out);  /* quoted or literal */
MUST_USE int imap_astring(struct imap_parser *p, struct sv *out);
MUST_USE int imap_nstring(struct imap_parser *p, struct sv *out, bool *nil);
MUST_USE int imap_list_mailbox(struct imap_parser *p, struct sv *out); /* with wildcards */
/* A mailbox name: INBOX in any case becomes "INBOX"; modified UTF-7 (or UTF-8 when p->utf8) is
 * turned into UTF-8; invalid encodings are refused. */
MUST_USE int imap_mailbox(struct imap_parser *p, struct sv *out);
MUST_USE int imap_number(struct imap_parser *p, uint32_t *out);
MUST_USE int imap_nz_number(struct imap_parser *p, uint32_t *out);
MUST_USE int imap_number64(struct imap_parser *p, uint64_t *out); /* up to 2^63-1 */
/* Accept WORD (case ignored) if the next atom-like token is exactly that. */
bool imap_word(struct imap_parser *p, const char *word);

/* Flags. */
enum imap_flag {
	IMAP_SEEN = 1 << 0,
	IMAP_ANSWERED = 1 << 1,
	IMAP_FLAGGED = 1 << 2,
	IMAP_DELETED = 1 << 3,
	IMAP_DRAFT = 1 << 4,
};
struct imap_flags {
	unsigned system; /* enum imap_flag bits */
	struct sv *keywords;
	size_t nkeywords;
};
/* "(\Seen $Junk)"; with BARE also without parentheses (STORE). \Recent is refused. */
MUST_USE int imap_flag_list(struct imap_parser *p, bool bare, struct imap_flags *out);
const char *imap_flag_name(enum imap_flag flag); /* "\\Seen" */
bool imap_keyword_valid(struct sv s);

/* date-time (quoted) and search date (quoted or not). */
MUST_USE int imap_date_time(struct imap_parser *p, int64_t *t, int *tz_min);
MUST_USE int imap_date(struct imap_parser *p, int64_t *days);

/* STATUS items. */
enum imap_status_item {
	IMAP_STATUS_MESSAGES = 1 << 0,
	IMAP_STATUS_RECENT = 1 << 1,
	IMAP_STATUS_UIDNEXT = 1 << 2,
	IMAP_STATUS_UIDVALIDITY = 1 << 3,
	IMAP_STATUS_UNSEEN = 1 << 4,
	IMAP_STATUS_DELETED = 1 << 5,
	IMAP_STATUS_SIZE = 1 << 6,
	IMAP_STATUS_HIGHESTMODSEQ = 1 << 7,
	IMAP_STATUS_MAILBOXID = 1 << 8,
};
MUST_USE int imap_status_items(struct imap_parser *p, unsigned *mask);

/* STORE: "+FLAGS.SILENT (\Seen)". */
enum imap_store_op { IMAP_STORE_SET, IMAP_STORE_ADD, IMAP_STORE_REMOVE };
struct imap_store {
	enum imap_store_op op;
	bool silent;
	struct imap_flags flags;
};
MUST_USE int imap_store_args(struct imap_parser *p, struct imap_store *out);

/* APPEND, after the verb: " mailbox [flags] [date] {n}CRLF" with the literal not in the buffer. */
struct imap_append {
	struct sv mailbox;
	struct imap_flags flags;
	bool has_date;
	int64_t date;
	int tz_min;
	uint64_t size;
	bool literal8;
};
MUST_USE int imap_append_args(struct imap_parser *p, struct imap_append *out);

#endif
