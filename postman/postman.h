/*
 * postman/postman.h - private types of the delivery worker.
 *
 * Layer:     daemon.
 * Ownership: one struct postman a process; a session lives on its fiber's stack.
 */
#ifndef POSTMAN_POSTMAN_H
#define POSTMAN_POSTMAN_H

#include "lib/clnt/clnt_auth.h"
#include "lib/ipc/msg.h"
#include "lib/store/spool.h"

struct postman {
	struct store *store;
	struct store_spool spool; /* mail_spool_directory, by maillock */
	bool uses_spool;          /* of a system instance */
	struct server_handed *handed;
};

/* One connection of local, virtual or pipe, in the middle of a request. */
struct postman_session {
	struct postman *postman;
	struct ipc_conn *conn;
	struct arena *arena; /* of one request */
};

/* Serve one connection; takes S->fd. */
void postman_serve(void *postman, const struct clnt_auth_session *s);

/* Each takes a request F and answers it. 0 or more; -1: the connection ends (E). */
MUST_USE int postman_command(struct postman_session *s, struct ipc_frame *f, struct err *e);
MUST_USE int postman_file(struct postman_session *s, struct ipc_frame *f, struct err *e);
MUST_USE int postman_read(struct postman_session *s, struct ipc_frame *f, struct err *e);
MUST_USE int postman_mailbox(struct postman_session *s, struct ipc_frame *f, struct err *e);

/* --- postman_run.c: one command, from start to end --------------------------------------------- */
#define POSTMAN_OUTPUT_KEPT (4 * 1024)
#define POSTMAN_OUTPUT_MAX  (1024 * 1024) /* a command that writes more gets no reader any more */

struct postman_run {
	char *const *argv, *const *envp;
	const char *path, *dir;
	int in;     /* its input: a file, so that a kill of this process does not look like the end of the mail */
	int client; /* who asked: the command ends when nobody is left to hear of it */
	int64_t limit_ms;
	struct buf *output;   /* what it wrote first */
	unsigned end, value;  /* enum command_end; status or signal */
	bool config;          /* did not run, and the admin or user must repair it */
	int exec_errno;       /* why not: of exec */
};

/* Run it. R->end tells how it ended; nothing of it is left but what it put into the background. */
void postman_run(struct postman_run *r);

#endif
