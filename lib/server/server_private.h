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
#include "lib/clnt/clnt_auth.h"
#include "lib/config/config.h"
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/server/rights.h"
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
	const struct rights *rights; /* NULL: a program without a row, in a private instance */
	bool is_system;
	struct rights_own own;       /* of a system instance */
	unsigned given_up;           /* enum jail_class bits */
	struct jail jail;
	size_t nread, nwrite;
	/* a process that auth has assigned to a user: server_assign.c */
	struct ipc_conn *assigner;
	struct arena assigned;       /* of IDENTITY */
	struct clnt_auth_identity identity;
	bool is_assigned;

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
	/* the process is about to leave: see server_handed.c */
	void (*leave)(void *arg);
	void *leave_arg;
	bool leaving;            /* .leave was called and is not through */
};

/* server_account.c: before pre_jail, the account; before the jail, its rest. */
int account_choose(struct server *s, struct err *e);
int account_assume(struct server *s, struct err *e);

/*
 * server_assign.c: enlist with auth and wait until it says whose process this is.
 *   1  .identity and .jail's ids are set, auth waits for assign_answer()
 *   0  there is nothing to wait for any more: the process was told to stop
 *  -1  cannot go on (E)
 */
MUST_USE int assign_wait(struct server *s, struct err *e);
/* Tell auth how it went: WHY NULL when the process is that user's from now on. */
void assign_answer(struct server *s, const char *why);

/* control.c */
int control_start(struct server *s, struct err *e);
void control_ready(struct server *s);
/* One frame, without the event loop. 0 master is gone or is not understood: the process is to stop. */
int control_hear(struct server *s);
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

/* server.c: connect to private/queue/SERVICE by oneself. */
MUST_USE int server_connect(const char *service, int64_t deadline, struct err *e);

#endif
