/*
 * maillock/maillock.h - private types of this folder.
 *
 * Layer:     daemon.
 * Ownership: one struct maillock a process; a session lives on its connection's fiber.
 * Security:  whoever has an account on this machine may connect and send what he likes. A request counts for the
 *            mailbox that belongs to the uid which the kernel told, and for no other; no mailbox is opened.
 */
#ifndef MAILLOCK_MAILLOCK_H
#define MAILLOCK_MAILLOCK_H

#include "lib/ipc/ipc.h"
#include "lib/server/server.h"
#include "lib/store/dotlock.h"
#include "lib/wire/maillock_frame.h"

/* --- maillock_spool.c: the directory; every function blocks --------------------------------------- */
struct spool {
	int dir;
	const char *path; /* for messages */
	gid_t gid;        /* of new mailboxes */
	int64_t stale_s;  /* age at which a lock of others is nobody's */
};

/* The directory PATH: root's, and where not everybody may remove what others have made. 0 with its group, -1. */
MUST_USE int spool_check(const char *path, gid_t *gid, struct err *e);

/*
 * Whose is NAME?
 *   1  UID's
 *   0  there is no such file
 *   2  somebody else's file
 *  -1  none that can be a mailbox (class PERM), or trouble
 */
MUST_USE int spool_owner(const struct spool *s, const char *name, uid_t uid, struct err *e);
/* NAME.lock for process PID. LOCK_NAME (of NAME.lock) lives as long as L. 1, 0 somebody else has it, -1. */
MUST_USE int spool_lock(const struct spool *s, const char *lock_name, pid_t pid, struct dotlock *l, struct err *e);
/* An empty NAME, mode 0600, that belongs to UID. 1 it is there (whoever was faster), -1. */
MUST_USE int spool_make(const struct spool *s, const char *name, uid_t uid, struct err *e);
/* NAME.append with NUMBERS; NULL: remove it. 1, -1. */
MUST_USE int spool_note(const struct spool *s, const char *name, const uint64_t *numbers, struct err *e);

/* --- maillock_users.c: how many connections each uid has -------------------------------------------- */
#define USER_CONNECTIONS_MAX 40

struct users;
struct users *users_new(void);
void users_free(struct users *u);
/* True: one more; users_leave() at its end. */
bool users_enter(struct users *u, uid_t uid);
void users_leave(struct users *u, uid_t uid);

/* --- maillock_serve.c ------------------------------------------------------------------------------- */
struct maillock {
	struct server *server;
	struct spool spool;
	bool any_owner; /* strict_mailbox_ownership = no */
	struct users *users;
	struct ipc_pool *auth;
};

void maillock_serve(struct server_conn *c);

#endif
