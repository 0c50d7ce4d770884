/*
 * lib/deliver/deliver_postman.h - deliver_mailbox() and deliver_file() done by a postman.
 *
 * Layer:     deliver (event loop).
 * Ownership: borrows everything during the call; the connection stays the caller's.
 * Errors:    -1 with E: nobody knows whether it was done; the next try has to look for it.
 * Security:  the postman writes as whom auth made it; nothing here names a uid.
 */
#ifndef DELIVER_DELIVER_POSTMAN_H
#define DELIVER_DELIVER_POSTMAN_H

#include "lib/deliver/deliver_file.h"
#include "lib/deliver/deliver_mailbox.h"
#include "lib/ipc/ipc.h"

/* Recipient I into mailbox M (its store and deciders are not used: the postman has its own), with SENDER as
 * the sender. 0 *OUT tells, -1. */
MUST_USE int deliver_ask_mailbox(const struct deliver_request *rq, size_t i, const struct deliver_mailbox *m,
	struct sv sender, struct ipc_conn *c, struct deliver_outcome *out, struct err *e);

/* Append HEAD and the mail to file F. 0 *OUT tells, and *CONFIG whether the admin has to repair something; -1. */
MUST_USE int deliver_ask_file(const struct deliver_request *rq, size_t i, const struct deliver_file *f, struct sv head,
	struct ipc_conn *c, struct deliver_outcome *out, bool *config, struct err *e);

#endif
