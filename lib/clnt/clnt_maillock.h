/*
 * lib/clnt/clnt_maillock.h - client of maillock: what a user's process cannot do in mail_spool_directory by itself.
 *
 * Layer:     clnt (blocking: runs inside offload jobs, from several threads at once).
 * Ownership: _new .. _free. A lock lives until it is given up, or its connection ends: that of a killed process goes
 *            by itself.
 * Errors:    -1 with E (class TEMP; CONFIG: refused, for the admin): nothing was done, or nobody knows; never taken
 *            for done.
 * Security:  maillock believes the uid that the kernel tells it of whoever connects: CONTEXT must have been made, or
 *            make its connections, as the user.
 *
 * The functions fit into struct store_spool (lib/store/spool.h).
 */
#ifndef CLNT_MAILLOCK_H
#define CLNT_MAILLOCK_H

#include "lib/base/err.h"

#define CLNT_MAILLOCK_SOCKET "public/maillock" /* in the queue directory */

struct clnt_maillock;

/* Connects to SOCKET, for each lock anew. */
struct clnt_maillock *clnt_maillock_new(const char *socket);
/* One connection, FD, made before the process was locked in: at most one lock at a time, and none when it ends. */
struct clnt_maillock *clnt_maillock_new_fixed(int fd);
void clnt_maillock_free(struct clnt_maillock *c);

/* A connection. The descriptor, or -1. */
MUST_USE int clnt_maillock_connect(const char *socket, struct err *e);

/* CONTEXT is a struct clnt_maillock. 1 ours, 0 somebody else's, -1. */
MUST_USE int clnt_maillock_lock(void *context, const char *name, struct err *e);
void clnt_maillock_unlock(void *context, const char *name);
MUST_USE int clnt_maillock_make(void *context, const char *name, struct err *e);
MUST_USE int clnt_maillock_note(void *context, const char *name, const uint64_t *numbers, struct err *e);

#endif
