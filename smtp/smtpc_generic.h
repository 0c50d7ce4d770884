/*
 * smtp/smtpc_generic.h - smtp_generic_maps for one mail (lib/map/generic.h).
 *
 * Layer:     smtp (event loop: look-ups).
 * Errors:    -1 with *WHY: a table failed, or the header cannot be read; the mail waits.
 */
#ifndef SMTP_SMTPC_GENERIC_H
#define SMTP_SMTPC_GENERIC_H

#include "smtp/smtpc.h"

/* Fill t->sender and t->recipients. */
MUST_USE int smtpc_generic_envelope(struct smtpc_try *t, struct smtpc_why *why);
/* Append the header, rewritten, to OUT (ceiling: SMTPC_HEAD_MAX); *LENGTH: what it takes in the queue file. */
MUST_USE int smtpc_generic_head(struct smtpc_try *t, struct buf *out, uint64_t *length, struct smtpc_why *why);

#define SMTPC_HEAD_MAX (32u * 1024 * 1024)

#endif
