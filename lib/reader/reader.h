/*
 * lib/reader/reader.h - set-up of a daemon through which signed-in users read their mail.
 *
 * Layer:     reader (event loop).
 * Ownership: what reader_start() makes lives as long as the process. SETTINGS are the caller's and live
 *            as long. A session lives until .serve() returns; its fd belongs to .serve().
 * Errors:    0 or more, or -1 with E: the process ends with that line (lib/server/server.h).
 * Security:  reader_paths() opens the mailbox of the user whose process this is (in a private instance the
 *            homes of all its users) and mail_index_dir, nothing else.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include "lib/clnt/clnt_auth.h"
#include "lib/server/server.h"
#include "lib/store/store.h"
#include "lib/sys/jail.h"

#define READER_JAIL \
	(JAIL_PASS_FD | JAIL_UNIX | JAIL_READ_FILES | JAIL_WRITE_FILES | JAIL_INOTIFY)

struct reader_def {
	size_t stack;        /* of a session's fiber, 0 = default */
	const void *settings;
	void (*serve)(struct store *store, const void *settings,
	        const struct clnt_auth_session *session);
};

/* For server_def.paths. The server's state is the reader's from here on. */
MUST_USE int reader_paths(struct server *s, struct err *e);
/* In post_jail, behind the daemon's own parameters: log name, store, sessions from auth. */
MUST_USE int reader_start(struct server *s, const struct reader_def *def, struct err *e);

#endif
