/*
 * lib/clnt/clnt_postman.h - client of postman: work done as some user (local, virtual, pipe).
 *
 * Layer:     clnt (event loop: every call waits on the calling fiber, until DEADLINE).
 * Ownership: clnt_postman_open() .. ipc_conn_free(); answers live in the caller's arena.
 * Errors:    -1 with E (class TEMP): nobody did it, or nobody knows whether it was done: try again later.
 * Security:  the caller names a user and never a uid; auth decides.
 *
 * One connection serves one identity, for as many requests as are wanted, one after the other.
 */
#ifndef CLNT_POSTMAN_H
#define CLNT_POSTMAN_H

#include "lib/clnt/clnt_auth.h"
#include "lib/ipc/msg.h"

/* A postman with the identity WHOSE, ready for requests. NULL with E. */
MUST_USE struct ipc_conn *clnt_postman_open(struct ipc_pool *auth, const struct clnt_auth_whose *whose,
        struct sv session, int64_t deadline, struct err *e);

/* Run M with INPUT as its standard input. 1 it ended somehow: *out; -1. */
MUST_USE int clnt_postman_command(struct ipc_conn *c, const struct msg_postman_command *m, int input,
        struct arena *a, struct msg_postman_ended *out, int64_t deadline, struct err *e);

/* Append to a file; deliver into a mailbox. 1 *out tells how it went; -1. */
MUST_USE int clnt_postman_file(struct ipc_conn *c, const struct msg_postman_file *m, int queue_fd,
        struct arena *a, struct msg_postman_written *out, int64_t deadline, struct err *e);
MUST_USE int clnt_postman_mailbox(struct ipc_conn *c, const struct msg_postman_mailbox *m, int queue_fd,
        struct arena *a, struct msg_postman_written *out, int64_t deadline, struct err *e);

/*
 * Append to TEXT the first of N files that exists, by RULE (enum text_file_rule), MAX octets at most. *FD, when
 * not NULL: its descriptor, the caller's.
 *   1  *WHICH is its index
 *   0  there is none
 *  -1  (class CONFIG: its owner must repair it)
 */
MUST_USE int clnt_postman_read(struct ipc_conn *c, const char *const *paths, size_t n, unsigned rule, size_t max,
        struct buf *text, size_t *which, int *fd, int64_t deadline, struct err *e);

#endif
