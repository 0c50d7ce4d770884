/*
 * lib/server/server_args.h - what master says to a daemon: arguments and environment; private to lib/server.
 *
 * Layer:     server (pure: the caller gives argv and the values of the environment).
 * Ownership: views into argv and into a copy of MERPATI_LISTEN kept in the struct; server_args_free().
 * Errors:    -1 with E, class CONFIG: which argument is wrong.
 *
 *     PROGRAM -c DIR -n SERVICE -g GENERATION [-v] [-o name=value ...] [arguments of master.cf]
 *     MERPATI_LISTEN="class:service:fd ..."; a service may hold colons.
 */
#ifndef SERVER_SERVER_ARGS_H
#define SERVER_SERVER_ARGS_H

#include "lib/base/err.h"

#define SERVER_LISTENERS_MAX 32
#define SERVER_OVERRIDES_MAX 256

struct server_listener {
	const char *class;   /* "inet", "public", "queue", "net", "out" */
	const char *service; /* master.cf name */
	int fd;
};

struct server_args {
	const char *config_dir, *service, *generation;
	int verbose;
	const char *overrides[SERVER_OVERRIDES_MAX];
	size_t noverrides;
	char **rest; /* NULL-terminated tail of argv */
	int nrest;
	char *listen_copy;
	struct server_listener listeners[SERVER_LISTENERS_MAX];
	size_t nlisteners;
};

MUST_USE int server_args_parse(struct server_args *a, int argc, char **argv, struct err *e);
/* LISTEN may be NULL: none. */
MUST_USE int server_args_listen(struct server_args *a, const char *listen, struct err *e);
void server_args_free(struct server_args *a);

#endif
