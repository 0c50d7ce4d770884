/*
 * admin/postqueue/postqueue.h - the two ways to print what showq says.
 */
#ifndef ADMIN_POSTQUEUE_H
#define ADMIN_POSTQUEUE_H

#include <stdio.h>

#include "lib/base/sv.h"

enum list_format { LIST_TABLE, LIST_JSON };

struct listing {
	enum list_format format;
	FILE *out;
	unsigned long mails;
	unsigned long long octets;
	bool malformed;
};

/* The octets of one mail or of the head of the list (queue_list.h). False: malformed. */
bool listing_group(struct listing *l, struct sv octets);
/* After the last: the table's summary. */
void listing_end(struct listing *l);

#endif
