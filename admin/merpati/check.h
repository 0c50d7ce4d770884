/*
 * admin/merpati/check.h - findings of `merpati check`: one line each, on standard error.
 *
 * Layer: command.
 */
#ifndef ADMIN_MERPATI_CHECK_H
#define ADMIN_MERPATI_CHECK_H

#include "admin/merpati/merpati.h"

struct check {
	struct instance *in;
	uid_t owner; /* whom the files that are looked at just now belong to */
	unsigned wrong, doubtful;
};

/* What is wrong (or doubtful), where, and what to do. */
void check_finding(struct check *c, bool wrong, const char *fmt, ...) PRINTF_LIKE(3, 4);
void check_maps(struct check *c);
void check_files(struct check *c);
void check_tls(struct check *c);

#endif
