/*
 * lib/deliver/text_file.h - files of users that name destinations: .forward, :include:.
 *
 * Layer:     deliver (blocking system calls: runs inside offload jobs).
 * Errors:    1 read, 0 none of them exists, -1 with E (CONFIG: for whoever owns it to repair).
 * Security:  read with the rights of the user they belong to. A .forward file counts if it is a regular file,
 *            no link, of the user or of root, that nobody else can write; an :include: file if it is regular
 *            and not everybody can write it. Sizes are bounded.
 */
#ifndef DELIVER_TEXT_FILE_H
#define DELIVER_TEXT_FILE_H

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum text_file_rule { TEXT_FILE_FORWARD, TEXT_FILE_INCLUDE };

struct text_file {
	const char *const *paths; /* the first that exists is meant */
	size_t n;
	enum text_file_rule rule;
	uid_t uid;  /* whose it must be (FORWARD) */
	size_t max; /* octets */
};

/* Append its text to TEXT. *WHICH: its index; *FD, when not NULL: its descriptor, the caller's. */
MUST_USE int text_file_read(const struct text_file *f, struct buf *text, size_t *which, int *fd, struct err *e);

#endif
