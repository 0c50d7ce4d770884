/*
 * lib/map/mapfile.h - building and changing indexed tables: what postmap and postalias do.
 *
 * Layer:     map (system calls).
 * Ownership: mapfile_begin() .. mapfile_commit() or mapfile_abort().
 * Errors:    0, or -1 with *e. Until commit, readers see the old table; after it, the whole new one.
 * Security:  the new file gets the owner, group and mode of the source; it is written under a
 *            random name in the same directory, synced, then renamed.
 */
#ifndef MAP_MAPFILE_H
#define MAP_MAPFILE_H

#include "lib/map/map.h"

struct mapfile;

enum mapfile_dup { MAPFILE_DUP_WARN, MAPFILE_DUP_IGNORE, MAPFILE_DUP_REPLACE, MAPFILE_DUP_FAIL };

struct mapfile_options {
	bool no_fold;          /* -f */
	bool keep_old;         /* start from the entries that are there (-i, -d) */
	bool no_source;        /* NAME itself need not exist (-i) */
	bool root_owned;       /* -o: do not take over the source's owner */
	bool default_mode;     /* -p: do not take over the source's mode */
	int null_terminated;   /* 1 -N: with NUL, 0: the type's habit, -1 -n: without */
};

/* SPEC "hash:/etc/aliases" or "btree:..."; -1 also for types that cannot be written. */
MUST_USE int mapfile_begin(const char *spec, const struct mapfile_options *opt,
			   struct mapfile **out, struct err *e);
/* 1 stored, 0 the key is there already (kept or replaced by DUP), -1 error. */
MUST_USE int mapfile_put(struct mapfile *m, struct sv key, struct sv value, enum mapfile_dup dup,
			 struct err *e);
/* From now on keys are folded (as the options say at the start), or stored as they are. */
void mapfile_exact_keys(struct mapfile *m, bool exact);
/* 1 removed, 0 was not there, -1. */
MUST_USE int mapfile_del(struct mapfile *m, struct sv key, struct err *e);
MUST_USE int mapfile_commit(struct mapfile *m, struct err *e);
void mapfile_abort(struct mapfile *m);
/* The path of the finished table, for messages: "/etc/aliases.db". */
const char *mapfile_path(const struct mapfile *m);

#endif
