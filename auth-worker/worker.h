/*
 * auth-worker/worker.h - verify one password against one hash; look one account of the system up.
 *
 * Layer:     daemon (waits on its connection; the work is done in a thread).
 * Security:  the password lives in the request's frame and in crypt's own storage; both are wiped.
 */
#ifndef AUTH_WORKER_WORKER_H
#define AUTH_WORKER_WORKER_H

#include "lib/base/arena.h"
#include "lib/ipc/ipc.h"
#include "lib/server/server.h"

/* Accounts (worker_accounts.c). */
struct worker_account {
	struct sv name, home, shell;
	uid_t uid;
	gid_t gid;
	struct u32_list groups; /* besides gid */
};

/* NAME, or where that is empty UID. 1 *out in A; 0 there is no such account; -1 the name service cannot
 * tell (E). */
MUST_USE int worker_find(
        struct sv name, uid_t uid, struct arena *a, struct worker_account *out, struct err *e);

void worker_serve(struct server_conn *c);
/* SC may be NULL (tests). */
void worker_serve_fd(int fd, struct server_conn *sc);

#endif
