/*
 * lib/server/server_private.h - what the parts of the daemon skeleton share; private to lib/server.
 *
 * Layer:     server (event loop).
 * Ownership: one struct server a process, from server_main() to its end.
 *
 * The life of the process, after the jail: server_life() in the first fiber; one fiber reads the control
 * socket, one waits for SIGTERM, one accepts on each listening socket, one serves each connection. Whoever
 * changes a count or asks for the end sets .changed; server_life() alone decides when the process ends.
 */
#ifndef SERVER_SERVER_PRIVATE_H
#define SERVER_SERVER_PRIVATE_H

#include "lib/base/list.h"
#include "lib/config/config.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/server.h"
#include "lib/server/server_args.h"
#include "lib/sys/jail.h"

#define SERVER_CONTROL_FD 3

enum server_stop { SERVER_RUNS = 0, SERVER_DRAINS, SERVER_ENDS }; /* reload: finish; stop: finish soon */

struct server {
	const struct server_def *def;
	struct server_args args;
	struct config *cfg;
	struct params_core core;
	void *state;
	unsigned client_limit;
	struct jail jail;
	size_t nread, nwrite;

	struct ipc_conn *control;
	struct list dials; /* struct dial, control.c */
	uint32_t next_dial;
	bool master_gone;

	struct fiber_event *changed;
	struct fiber_event *room; /* set while another connection may be accepted */
	struct list conns;       /* struct live, accept.c */
	struct fiber *acceptors[SERVER_LISTENERS_MAX];
	size_t nacceptors;
	unsigned active;         /* connections being served */
	int sessions;            /* handed over by other means: server_count_session() */
	uint64_t served;
	int64_t last_busy;
	bool full;
	enum server_stop stop;
	bool retired;            /* max_use reached: accept no more */
	int code;
};

/* control.c */
int control_start(struct server *s, struct err *e);
void control_ready(struct server *s);
void control_load(struct server *s);
int control_dial(struct server *s, const char *endpoint, int64_t deadline, struct err *e);

/* accept.c */
int accept_start(struct server *s, struct err *e);
void accept_end(struct server *s);
void accept_cancel_all(struct server *s);
void accept_cancel_idle(struct server *s);

/* life.c: runs in the first fiber */
void server_life(void *server);
void server_ask_stop(struct server *s, enum server_stop how, const char *why);

#endif
