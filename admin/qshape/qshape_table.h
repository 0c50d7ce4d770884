/*
 * admin/qshape/qshape_table.h - counts by domain and age, and how they are printed.
 *
 * Ownership: qshape_init() .. qshape_free().
 */
#ifndef ADMIN_QSHAPE_TABLE_H
#define ADMIN_QSHAPE_TABLE_H

#include <stdio.h>

#include "lib/base/hash.h"
#include "lib/base/sv.h"

#define QSHAPE_BUCKETS_MAX 32

struct qshape_options {
	unsigned buckets;        /* columns of age, without the last one, which is open */
	unsigned minutes;        /* width of the first */
	bool linear;             /* all of that width; else each ends at twice the age of the one before */
	bool parents;            /* rows for parent domains, too */
	unsigned min_subdomains; /* that a parent must have for its row */
	unsigned width;          /* of a line */
};

struct qshape {
	struct qshape_options o;
	struct htab rows; /* domain -> struct qshape_row */
	unsigned long total[QSHAPE_BUCKETS_MAX + 2];
};

void qshape_init(struct qshape *q, const struct qshape_options *o);
void qshape_free(struct qshape *q);
/* One more of DOMAIN (any case; empty: MAILER-DAEMON), AGE_S seconds old. */
void qshape_count(struct qshape *q, struct sv domain, int64_t age_s);
void qshape_print(struct qshape *q, FILE *out);

#endif
