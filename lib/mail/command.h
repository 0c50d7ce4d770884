/*
 * lib/mail/command.h - "|command" destinations: which need a shell, what their exit means for the mail.
 *
 * Layer:     mail (pure; memory from the caller's arena).
 * Ownership: argv lives in the arena; a verdict's text views the output or static text.
 * Security:  no shell unless the command needs one; text of strangers reaches a command through its
 *            environment only, and there with every character that means something to a shell replaced.
 * Standards: internal; Postfix's rules (local(8) of Postfix 3.7), <sysexits.h>, RFC 3463 for codes in the
 *            output.
 */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/mail/dsn.h"

/*
 * Split TEXT at its blanks.
 *   1  *argv, NULL at its end: to be executed as it is; where no such program is found in PATH and the
 *      name has no slash it may be a word of the shell's own
 *   0  it needs a shell
 *  -1  the arena is exhausted
 */
MUST_USE int command_split(struct sv text, struct arena *a, char ***argv);

/* Append VALUE with every octet that is not in ALLOWED turned into '_'. 0, or -1 (ceiling). */
int command_clean(struct buf *out, struct sv value, const char *allowed);

/* The end of a command. */
enum command_end {
	COMMAND_EXITED,    /* with a status */
	COMMAND_SIGNALLED, /* killed by a signal, not by us */
	COMMAND_TIMED_OUT, /* killed by us */
	COMMAND_NOT_RUN,   /* could not be started; a reason stands in the output */
};

enum command_result { COMMAND_DELIVERED, COMMAND_TRY_AGAIN, COMMAND_REFUSED };

struct command_verdict {
	enum command_result result;
	struct dsn_code dsn;
};

/* What the END of COMMAND with VALUE (status or signal) and OUTPUT (as much as was kept) means; the text
 * for the report is appended to TEXT. */
void command_verdict(enum command_end end, unsigned value, struct sv command, struct sv output,
	struct command_verdict *out, struct buf *text);

#endif
