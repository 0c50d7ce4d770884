/*
 * auth/auth_switch.h - the switchboard: which processes take a session of which user.
 *
 * Layer:     daemon (event loop).
 * Ownership: a member belongs to the fiber inside auth_switch_member().
 * Errors:    passing a session is tried on one process after the other; -1 (TEMP) when none had
 *            room until the deadline, or when a process could not become that user.
 * Security:  who may enlist is the caller's decision. A process of nobody gets one identity, once, and
 *            from then on sessions of that identity only; it is known by its connection alone.
 */
#ifndef AUTH_AUTH_SWITCH_H
#define AUTH_AUTH_SWITCH_H

#include "auth/auth_dir.h"
#include "lib/ipc/msg.h"

struct auth_switch;

struct auth_switch *auth_switch_new(void);
void auth_switch_free(struct auth_switch *sw);

/*
 * Serve the connection of a process that has enlisted, until it ends. C stays the caller's. NOBODYS: it
 * waits for an identity; else it serves everybody for whom auth_switch_pass() is called.
 */
void auth_switch_member(struct auth_switch *sw, struct ipc_conn *c, struct sv service, uint32_t room,
        bool nobodys);

/* Pass session M of WHO with the descriptor FD (stays the caller's). 1, or -1 with E. */
MUST_USE int auth_switch_pass(struct auth_switch *sw, struct sv service, const struct auth_account *who,
        const struct msg_auth_session *m, int fd, int64_t deadline, struct err *e);

/* Sessions that processes of this service would take now; those of nobody count in full. */
uint64_t auth_switch_room(const struct auth_switch *sw, struct sv service);

#endif
