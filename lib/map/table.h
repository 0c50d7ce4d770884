/*
 * lib/map/table.h - what a type of table implements; private to lib/map.
 *
 * Layer:     map (system calls).
 * Ownership: .open sets m->impl, .close frees it; both run under the map's lock.
 * Errors:    as map.h.
 */
#ifndef MAP_TABLE_H
#define MAP_TABLE_H

#include <pthread.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/map/map.h"

struct map_ops {
	const char *type;
	const char *suffix; /* of the file behind NAME: ".db", ""; NULL: no file */
	bool pattern, pure, may_hang;
	MUST_USE int (*open)(struct map *m, struct err *e);
	MUST_USE int (*lookup)(struct map *m, struct sv key, struct buf *value, struct err *e);
	void (*close)(struct map *m);
	int (*each)(struct map *m, map_each_fn *fn, void *arg, struct err *e); /* NULL: cannot */
};

struct map {
	const struct map_ops *ops; /* NULL: the type is unknown */
	char *spec;                /* without "proxy:" */
	const char *name;          /* in spec, after the colon */
	char *path;                /* file behind it, or NULL */
	unsigned flags;
	pthread_mutex_t lock;
	void *impl; /* not NULL: open */
	struct stat seen; /* the file as it was when opened */
	int held;         /* map_hold(): that file, by a descriptor without rights; -1 */
	bool stale;
};

extern const struct map_ops map_hash_ops, map_btree_ops, map_texthash_ops, map_inline_ops,
	map_static_ops, map_fail_ops, map_regexp_ops, map_cidr_ops, map_unix_ops;

/* The text of a table's source: a file's, or "{ {line} {line} }" given as NAME itself. */
MUST_USE int table_source(struct map *m, struct buf *out, struct err *e);

#endif
