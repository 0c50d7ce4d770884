/*
 * lib/server/layout.h - the directories and files of a system instance: whose they are, and their modes.
 *
 * Layer:     server (system calls).
 * Ownership: layout_open() .. layout_close(); paths in an item live as long.
 * Errors:    -1 with E.
 * Security:  the one table that `merpati init --system` makes, master makes at start where something is
 *            missing, and `merpati check` and master compare with. What is there is never changed in silence.
 *
 * Directories through which root reaches something (the queue directory itself, pid, public, private) are
 * root's, so that none of our accounts can put a link in its way.
 */
#ifndef SERVER_LAYOUT_H
#define SERVER_LAYOUT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/config/params.h"
#include "lib/server/rights.h"

enum layout_part {
	LAYOUT_CONFIG = 1, /* configuration directory */
	LAYOUT_DATA = 2,   /* data_directory */
	LAYOUT_QUEUE = 4,  /* queue_directory */
	LAYOUT_PROGRAM = 8, /* set-gid programs in command_directory */
	LAYOUT_LOG = 16,   /* the directory of maillog_file: made where it is missing */
	LAYOUT_ALL = 31,
};

enum layout_kind {
	LAYOUT_DIR,
	LAYOUT_FILE,     /* made by others, but its owner and mode are ours to judge */
	LAYOUT_OPTIONAL, /* the same, and may be missing */
};

struct layout {
	const char *bases[5]; /* by bit number of enum layout_part; NULL: there is none */
	struct rights_own own;
	char drop_name[RIGHTS_NAME_MAX];
	gid_t drop;           /* setgid_group */
	char *log_dir;
	char *paths;
};

struct layout_item {
	const char *path;
	enum layout_part part;
	enum layout_kind kind;
	uid_t uid;
	gid_t gid;
	const char *user, *group;
	mode_t mode;
};

/* CORE as loaded from the instance's configuration in CONFIG_DIR. 0, -1: an account or group is missing. */
MUST_USE int layout_open(struct layout *l, const char *config_dir, const struct params_core *core, struct err *e);
void layout_close(struct layout *l);
/* Item number I. False: there are not so many. The path lives until the next call. */
bool layout_item(struct layout *l, size_t i, struct layout_item *out);

/*
 * Compare with what is there.
 *   1  as it should be
 *   0  missing
 *  -1  wrong: FINDING has what, and the command that mends it
 */
MUST_USE int layout_look(const struct layout_item *item, struct buf *finding);
/* Make a missing directory, durable. 0, -1. */
MUST_USE int layout_make(const struct layout_item *item, struct err *e);

#endif
