/*
 * lib/deliver/deliver_file.h - append one recipient's mail to an mbox file and say how it went.
 *
 * Layer:     deliver (event loop: the file is written in a thread).
 * Ownership: borrows everything during the call.
 * Errors:    whatever keeps the file from being written defers the mail; only a size limit returns it.
 * Security:  see lib/store/mbox_append.h.
 */
#ifndef DELIVER_DELIVER_FILE_H
#define DELIVER_DELIVER_FILE_H

#include "lib/deliver/deliver.h"
#include "lib/store/mbox_append.h"

struct deliver_file {
	const char *path;
	struct mbox_rules rules;
	struct sv limit_name; /* the parameter that .rules.size_limit comes from */
};

/* How it went is *OUT. True: the admin has to repair something, and the caller says where. */
bool deliver_file(const struct deliver_file *f, const struct mbox_mail *mail, struct deliver_outcome *out);

#endif
