/*
 * pickup/pickup_odd.h - which odd names in maildrop/ have been told of.
 *
 * Ownership: pickup_odd_init() .. pickup_odd_fini().
 *
 * A name is told of once, not at each scan; again when it was gone in between. At most PICKUP_ODD_MAX names are
 * remembered: more are counted, and only that is told.
 */
#ifndef PICKUP_PICKUP_ODD_H
#define PICKUP_PICKUP_ODD_H

#include "lib/base/hash.h"

#define PICKUP_ODD_MAX 1000

struct pickup_odd {
	struct htab told;    /* names that have been told of */
	struct htab seen;    /* names of the scan that runs */
	size_t more;         /* names of it that there was no room for */
	bool more_told;
};

void pickup_odd_init(struct pickup_odd *o, struct hash_seed seed);
void pickup_odd_fini(struct pickup_odd *o);
/* NAME was found. True: tell of it. */
bool pickup_odd_note(struct pickup_odd *o, struct sv name);
/* The scan is over; WHOLE: it saw all of the directory. How many more odd names to tell of, 0 none. */
size_t pickup_odd_end(struct pickup_odd *o, bool whole);

#endif
