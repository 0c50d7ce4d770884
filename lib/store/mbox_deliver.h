/*
 * lib/store/mbox_deliver.h - a delivery into a mailbox that is an mbox file; private to lib/store.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Errors:    as store_deliver().
 * Security:  see mbox_append.h. What is known of the mailbox (its control directory) is used where it is there, and
 *            not made: mail for somebody without a home is delivered, too.
 *
 * The mail gets no UID, but room for one: who reads gives it (doc/store.md).
 */
#ifndef STORE_MBOX_DELIVER_H
#define STORE_MBOX_DELIVER_H

#include "lib/store/mbox_box.h"

/* DEF->create: make the file when it is missing. */
MUST_USE int mbox_deliver(const struct mbox_box_def *def, const struct store_delivery *d, enum store_delivered *how,
	struct err *e);

#endif
