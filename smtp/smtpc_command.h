/*
 * smtp/smtpc_command.h - MAIL and RCPT with the options that a server knows.
 *
 * Layer:     smtp (pure).
 * Errors:    0, or -1 at the buffer's ceiling, which addresses below their limits do not reach.
 * Security:  addresses come from strangers: they are quoted, and hold no control octets (lib/mail/addr.h).
 * Standards: RFC 5321 4.1.1.2, 4.1.1.3; RFC 1870 (SIZE), 6152 (BODY), 3461 4 (RET ENVID NOTIFY ORCPT),
 *            6531 3.4 (SMTPUTF8), 6533 3 (ORCPT).
 */
#ifndef SMTP_SMTPC_COMMAND_H
#define SMTP_SMTPC_COMMAND_H

#include "smtp/smtpc.h"

#define SMTPC_COMMAND_MAX (16 * 1024)

MUST_USE int smtpc_put_mail(struct buf *out, const struct deliver_request *rq, const struct smtpc_session *s);
MUST_USE int smtpc_put_rcpt(struct buf *out, const struct deliver_rcpt *r, const struct smtpc_session *s);
/* Does the mail need SMTPUTF8: was it asked for, or is an address not ASCII? */
bool smtpc_needs_utf8(const struct deliver_request *rq);

#endif
