/*
 * lib/mail/text_lines.h - logical lines and entries of table sources: aliases, postmap files.
 *
 * Layer:     mail (pure: the file's text is passed in).
 * Ownership: entries are views into the reader's buffer and live until the next call.
 * Errors:    1 an entry, 0 end, -1 a bad entry: *e says "FILE, line N: ..." and reading can go on.
 * Security:  NUL octets make an entry bad; a logical line is at most TEXT_LINE_MAX octets.
 * Standards: internal; Postfix's table format: a line that starts with a blank continues the one
 *            before; lines that are blank or whose first octet that is no blank is '#' are
 *            skipped, also inside a continuation; '#' later in a line is text.
 */
#ifndef MAIL_TEXT_LINES_H
#define MAIL_TEXT_LINES_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define TEXT_LINE_MAX (4u << 20)

struct text_lines {
	struct sv rest;
	const char *file; /* for messages; the caller keeps it */
	unsigned line;    /* number of the physical line read last */
	struct buf joined;
	struct buf key;
};

/* How a source's entries look. */
enum text_entry_kind {
	TEXT_POSTMAP, /* key blanks value */
	TEXT_ALIASES, /* key: value; quotes around and inside the key removed, see text_entry */
};

struct text_entry {
	struct sv key;   /* as written (postmap), or internal form (aliases); case kept */
	struct sv value; /* outer blanks removed; continuations joined with their blanks */
	unsigned line;   /* number of its first physical line */
};

void text_lines_init(struct text_lines *t, struct sv text, const char *file);
void text_lines_free(struct text_lines *t);
/* The next logical line, joined; *line is the number of its first physical line. 1, 0, or -1 (too
 * long or a NUL inside: skipped). */
MUST_USE int text_lines_next(struct text_lines *t, struct sv *out, unsigned *line, struct err *e);
/* The next logical line as an entry. */
MUST_USE int text_entry_next(struct text_lines *t, enum text_entry_kind kind,
	struct text_entry *out, struct err *e);

#endif
