/*
 * lib/mail/mime.h - the part tree of a message, with offsets, sizes and line counts.
 *
 * Layer:     mail (pure; memory from the caller's arena).
 * Ownership: the tree lives in the arena; views point into the message or the arena.
 * Errors:    0 done, -1 arena exhausted. No message is malformed: what cannot be read as MIME is
 *            text/plain, what exceeds a limit is one opaque part.
 * Security:  hostile: nesting, parts, boundary length, parameters are bounded, time is linear in
 *            the message (times the depth limit for lines that start with "--"), no recursion.
 * Standards: RFC 2045 5, RFC 2046 5.1 (multipart), 5.2 (message), RFC 2231 3, 4 (parameters).
 *
 * The message is a view with LF or CRLF line ends. Sizes are octets as sent with CRLF: an LF that
 * no CR precedes counts two.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mail/transfer.h"

struct mime_limits {
	size_t depth;    /* mime_nesting_limit */
	size_t parts;
	size_t boundary; /* mime_boundary_length_limit */
	size_t params;   /* of one field */
};
#define MIME_LIMITS_DEFAULT { .depth = 100, .parts = 10000, .boundary = 2048, .params = 200 }

struct mime_param {
	struct mime_param *next;
	struct sv name;  /* as written, RFC 2231 section numbers and '*' removed */
	struct sv value; /* unquoted, continuations joined, percent-encoding undone (charset kept) */
	struct sv charset; /* RFC 2231 charset'lang'..., or empty */
};

struct mime_value { /* "type/subtype; params" or "attachment; params" */
	struct sv type;    /* as written */
	struct sv subtype; /* empty for a disposition */
	struct mime_param *params;
};

struct mime_range {
	size_t start, end;  /* offsets into the message: [start, end) */
	size_t size;        /* octets as sent with CRLF */
	size_t lines;       /* number of LF */
};

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

struct mime_part {
	struct mime_part *parent, *child, *last_child, *next;
	enum mime_kind kind;
	unsigned number; /* among its siblings, from 1 */
	unsigned depth;
	struct mime_range head; /* fields and the empty line */
	struct mime_range body; /* a part's body ends before the line end that precedes a boundary */
	struct mime_value type; /* default filled in: text/plain, or message/rfc822 in digests */
	bool type_default;      /* no usable Content-Type field was there */
	struct mime_value disposition; /* .type empty: none */
	struct sv id, description, encoding, md5, language, location; /* raw field bodies, trimmed */
	enum transfer_encoding transfer;
};

/* Parse the whole message; *root is its outermost part. */
MUST_USE int mime_parse(struct sv message, const struct mime_limits *lim, struct arena *a,
	struct mime_part **root);
/* Next part in the order of the message, or NULL: a walk without recursion. */
const struct mime_part *mime_next(const struct mime_part *p);
/* Value of a parameter (name without case), or the empty view. */
struct sv mime_param(const struct mime_value *v, const char *name);
/* Parse "type/subtype; a=b" (SLASH) or "token; a=b". 1 done, 0 not of that form, -1 arena. */
MUST_USE int mime_value_parse(struct sv body, bool slash, const struct mime_limits *lim,
	struct arena *a, struct mime_value *out);

#endif
