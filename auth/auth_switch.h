/*
 * auth/auth_switch.h - the switchboard: which pop3d and imapd processes have room for a session.
 *
 * Layer:     daemon (event loop).
 * Ownership: a member belongs to the fiber inside auth_switch_member().
 * Errors:    passing a session is tried on one process after the other; -1 (TEMP) when none had
 * room until the deadline. Security:  only processes of class queue enlist (checked by the caller);
 * in a private instance they have our uid.
 */
#ifndef AUTH_AUTH_SWITCH_H
#define AUTH_AUTH_SWITCH_H

#include "lib/ipc/msg.h"

struct auth_switch;

struct auth_switch *auth_switch_new(void);
void auth_switch_free(struct auth_switch *sw);

/* Serve the connection of a process that has enlisted, until it ends. C stays the caller's. */
void auth_switch_member(
        struct auth_switch *sw, struct ipc_conn *c, struct sv service, uint32_t room);

/* Pass session M with the client's socket FD (stays the caller's). 1, or -1 with E. */
MUST_USE int auth_switch_pass(struct auth_switch *sw, struct sv service,
        const struct msg_auth_session *m, int fd, int64_t deadline, struct err *e);

/* Sessions that processes of this service would take now. */
uint64_t auth_switch_room(const struct auth_switch *sw, struct sv service);

#endif
