/*
 * lib/map/map.h - one look-up table, named as in main.cf: "hash:/etc/merpati/virtual".
 *
 * Layer:     map (system calls; blocking).
 * Ownership: map_open() .. map_free(). Values are appended to the caller's buffer.
 * Errors:    1 found, 0 not found, -1 the look-up failed (class TEMP or CONFIG, text with table and
 *            reason). A table that is missing or broken is never "not found": its look-ups fail
 *            until it is there again, then they work without a restart.
 * Security:  keys are hostile: bounded, never part of a path. Tables are the admin's; their files
 *            are checked for being regular, results are bounded (MAP_VALUE_MAX).
 * Standards: internal; types and key rules are Postfix's (DATABASE_README of Postfix 3.7).
 *
 * A map may be used from several threads (a lock is inside). Daemons use maps.h, which keeps
 * blocking look-ups out of the event loop; commands use this directly.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define MAP_KEY_MAX   4096
#define MAP_VALUE_MAX (1u << 20)
#define MAP_FILE_MAX  (256u << 20) /* octets of a text source */

struct map;

enum map_flags {
	MAP_NO_FOLD = 1,   /* keys as they are: postmap -f */
	MAP_NO_SUBST = 2,  /* regexp: $1 is refused (tables that decide about security) */
};

/*
 * Take the table SPEC ("type:name"; "proxy:" in front is dropped). Opening a file happens at
 * the first look-up, or by map_check(). Never NULL: a wrong SPEC makes every look-up fail.
 */
struct map *map_open(const char *spec, unsigned flags);
void map_free(struct map *m);
const char *map_spec(const struct map *m);

/* The file whose content answers look-ups; NULL: there is none. */
const char *map_file(const struct map *m);

/* Open now what a look-up would open. 0, or -1 with the reason. */
MUST_USE int map_check(struct map *m, struct err *e);

/*
 * Open now, with rights that the process is about to give up. While the file stays, look-ups work; when it was
 * replaced and cannot be opened again, they fail and map_is_stale() is true: a fresh process can. 0, -1 (then
 * the table is as if this had not been called).
 */
MUST_USE int map_hold(struct map *m, struct err *e);
bool map_is_stale(struct map *m);

/* Append the value of KEY to VALUE. 1, 0, -1. */
MUST_USE int map_lookup(struct map *m, struct sv key, struct buf *value, struct err *e);

/* Answers from memory alone, once checked: no thread and no proxymap needed, works in a jail. */
bool map_is_pure(const struct map *m);
/* Keys are patterns: only whole keys are looked up, no parts of them. */
bool map_is_pattern(const struct map *m);
/* May block for long (name service): only proxymap opens it for daemons. */
bool map_may_hang(const struct map *m);

/* Every entry in the table's own order; FN returns 0 to go on. 0, FN's value, or -1 with *e. */
typedef int map_each_fn(void *arg, struct sv key, struct sv value);
MUST_USE int map_each(struct map *m, map_each_fn *fn, void *arg, struct err *e);

/* Names of all types, NULL past the last: postconf -m. */
const char *map_type_name(size_t i);

#endif
