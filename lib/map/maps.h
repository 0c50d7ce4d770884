/*
 * lib/map/maps.h - a parameter's list of tables, looked up in order, from a fiber or without one.
 *
 * Layer:     map (event loop: blocking tables run in the look-up pool or in proxymap).
 * Ownership: maps_open() .. maps_free(); the environment must outlive the list.
 * Errors:    1 found, 0 in no table, -1 a look-up failed before a hit: treat the mail as "try again
 *            later", never as "not found".
 * Security:  see map.h; what a key may cost is bounded by the number of tables and keys.
 *
 *     struct maps *v = maps_open("virtual_alias_maps", p->virtual_alias_maps, &env, &e);
 *     struct map_keys keys;
 *     map_keys_addr(&keys, address, &rules);
 *     rc = maps_find_keys(v, &keys, &value, &which, &e);
 */
#ifndef MAP_MAPS_H
#define MAP_MAPS_H

#include "lib/map/keys.h"
#include "lib/map/map.h"

struct ipc_pool;
struct maps;

/* How this process reaches tables. */
struct maps_env {
	/* proxymap's pool; NULL: every table is opened here (commands, proxymap itself) */
	struct ipc_pool *proxymap;
	/* a jailed daemon: files are looked up by proxymap, pure tables here */
	bool jailed;
	/* how long a look-up by proxymap may take, milliseconds; 0: 100 s */
	int64_t timeout_ms;
};

/*
 * The tables in LIST ("hash:/a, regexp:/b", blanks and commas between, {} keeps blanks together).
 * TITLE is the parameter's name, for messages. NULL when LIST cannot be split (*e). An empty list
 * is legal and finds nothing.
 */
MUST_USE struct maps *maps_open(const char *title, const char *list, const struct maps_env *env,
				unsigned flags, struct err *e);
void maps_free(struct maps *m);
bool maps_empty(const struct maps *m);
const char *maps_title(const struct maps *m);

/* Open pure tables now (before a jail). 0, or -1: a table is wrong; look-ups will say so again. */
MUST_USE int maps_check(struct maps *m, struct err *e);

/* Append the value of KEY, whole key only, to VALUE. 1, 0, -1. */
MUST_USE int maps_find(struct maps *m, struct sv key, struct buf *value, struct err *e);

/*
 * The first key of KEYS that any table has: for each key, each table. 1 with *which (may be NULL)
 * the index of the key, 0, -1. Pattern tables see only keys that are not partial.
 */
MUST_USE int maps_find_keys(struct maps *m, const struct map_keys *keys, struct buf *value,
			    size_t *which, struct err *e);

/* The table that answered last on this list ("hash:/etc/aliases"), for log lines. */
const char *maps_last(const struct maps *m);
/* The file behind that table ("/etc/aliases.db"); NULL: it has none. */
const char *maps_last_file(const struct maps *m);

#endif
