/*
 * smtpd/smtpd_history.h - what was said in a session, for a report to the postmaster.
 *
 * Layer:     smtpd (pure).
 * Ownership: smtpd_history_free() when the session ends.
 * Security:  a stranger's lines: each is cut and made printable, the oldest give way at the ceiling. What
 *            follows AUTH's mechanism is left out.
 */
#ifndef SMTPD_SMTPD_HISTORY_H
#define SMTPD_SMTPD_HISTORY_H

#include "lib/base/buf.h"

#define SMTPD_HISTORY_MAX      (32 * 1024)
#define SMTPD_HISTORY_LINE_MAX 500

struct smtpd_history {
	struct buf text;   /* "In:  EHLO x\n", "Out: 250 y\n" */
	unsigned lines;    /* since the last reset */
	unsigned left_out; /* of them, the oldest */
};

void smtpd_history_in(struct smtpd_history *h, struct sv line);
void smtpd_history_out(struct smtpd_history *h, struct sv line);
/* Append them to OUT, indented, with a note of those left out. */
void smtpd_history_put(const struct smtpd_history *h, struct buf *out);
/* Forget them, keep the memory. */
void smtpd_history_reset(struct smtpd_history *h);
void smtpd_history_free(struct smtpd_history *h);

#endif
