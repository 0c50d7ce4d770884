/*
 * lib/mail/alias_grammar.h - what stands right of an alias, in an :include: file, in ~/.forward.
 *
 * Layer:     mail (pure; memory from the caller's arena).
 * Ownership: items live in the arena.
 * Errors:    1 done, -1 syntax (class CONFIG: "FILE, line N: ...") or arena exhausted (TEMP).
 * Security:  from users' files: bounded count, linear time; commands and file names are typed here
 *            so that no address text can turn into one later.
 * Standards: internal; aliases(5) of Postfix and sendmail: addresses with phrases and comments,
 *            "|command", /file, :include:/file, quotes, commas, line ends as separators.
 */
#ifndef MAIL_ALIAS_GRAMMAR_H
#define MAIL_ALIAS_GRAMMAR_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum alias_kind {
	ALIAS_ADDRESS, /* .text: internal form; .plain: a backslash stood before it */
	ALIAS_COMMAND, /* .text: after the '|', quotes removed */
	ALIAS_FILE,    /* .text: absolute path; a '/' at its end means Maildir */
	ALIAS_INCLUDE, /* .text: path */
};

struct alias_item {
	enum alias_kind kind;
	struct sv text; /* NUL-terminated in the arena */
	bool plain;     /* "\user": no further alias or .forward expansion */
	unsigned line;
};

struct alias_list {
	struct alias_item *items;
	size_t count;
};

enum alias_source {
	ALIAS_RHS,   /* the value of an alias: '#' is text */
	ALIAS_LINES, /* an :include: file or .forward: every line for itself; '#' lines are comments */
};

#define ALIAS_ITEMS_MAX 1000000u

/* Parse TEXT; FILE and FIRST_LINE are for messages. An empty source gives count 0. */
MUST_USE int alias_parse(struct sv text, enum alias_source source, const char *file,
	unsigned first_line, size_t max_items, struct arena *a, struct alias_list *out,
	struct err *e);

/* Append the text under which an alias value is stored in a built table: items as written, joined
 * by ", ", a backslash before an item removed, as postalias does. 0, or -1 (ceiling). */
int alias_store_form(struct buf *out, struct sv value);

#endif
