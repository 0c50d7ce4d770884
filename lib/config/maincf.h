/*
 * lib/config/maincf.h - the text of main.cf as a series of (name, value, line).
 *
 * Layer:     config (pure).
 * Ownership: views passed to the callback live during the call; joined values are copies.
 * Errors:    -1: a line that is neither comment, blank, continuation nor "name = value".
 * Standards: postconf(5) of Postfix: a line that starts with a blank continues the one before;
 *            comment and empty lines in between do not end it; the line end itself is dropped,
 *            the blanks after it are kept.
 */
#ifndef CONFIG_MAINCF_H
#define CONFIG_MAINCF_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* A logical line: comments dropped, continuations joined. FIRST is its first line's number. */
struct logical_lines {
	struct sv rest;
	unsigned next_line; /* number of the first line in rest, from 1 */
};

void logical_lines_init(struct logical_lines *l, struct sv text);
/* 1 and *out (cleared first) with the line's text; 0 at the end; -1 when OUT's ceiling is hit. */
MUST_USE int logical_lines_next(struct logical_lines *l, struct buf *out, unsigned *first);

/*
 * Return 0 to go on, -1 to stop with *e set. NAME empty: VALUE is a line to warn about, one that
 * starts with a blank and continues nothing.
 */
typedef int maincf_fn(void *arg, struct sv name, struct sv value, unsigned line, struct err *e);

/* 0, or -1 with *e (its text starts with "FILE, line N: "). */
MUST_USE int maincf_parse(struct sv text, const char *file, maincf_fn *fn, void *arg,
			  struct err *e);
/* Split "name = value" (as on a main.cf line or after -o). 0, or -1: no '=' or no name. */
MUST_USE int maincf_split(struct sv line, struct sv *name, struct sv *value);

#endif
