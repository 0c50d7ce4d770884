#include "pickup/pickup_odd.h"

void pickup_odd_init(struct pickup_odd *o, struct hash_seed seed)
{
	*o = (struct pickup_odd){ .more = 0 };
	htab_init(&o->told, seed);
	htab_init(&o->seen, seed);
}

void pickup_odd_fini(struct pickup_odd *o)
{
	htab_free(&o->told);
	htab_free(&o->seen);
}

bool pickup_odd_note(struct pickup_odd *o, struct sv name)
{
	bool known = htab_get(&o->told, name) != NULL;
	if (!known && o->told.count >= PICKUP_ODD_MAX) {
		o->more++;
		return false;
	}
	(void)htab_set(&o->seen, name, o); /* any pointer but NULL */
	(void)htab_set(&o->told, name, o);
	return !known;
}

size_t pickup_odd_end(struct pickup_odd *o, bool whole)
{
	size_t tell = o->more_told ? 0 : o->more;
	if (whole) {
		/* what is gone may come again, and is told of then */
		struct htab gone = o->told;
		o->told = o->seen;
		o->seen = gone;
		o->more_told = o->more > 0;
	} else {
		o->more_told |= o->more > 0;
	}
	struct hash_seed seed = o->seen.seed;
	htab_free(&o->seen);
	htab_init(&o->seen, seed);
	o->more = 0;
	return tell;
}
