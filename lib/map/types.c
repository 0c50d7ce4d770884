#include "lib/map/map.h"

const char *map_type_name(size_t i)
{
	static const char *const names[] = { "btree", "cidr", "fail", "hash", "inline", "proxy",
					     "regexp", "static", "texthash", "unix" };
	return i < ARRAY_LEN(names) ? names[i] : NULL;
}
