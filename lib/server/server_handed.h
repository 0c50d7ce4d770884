/*
 * lib/server/server_handed.h - for daemons whose clients come from auth's switchboard: pop3d,
 * imapd.
 *
 * Layer:     server (event loop).
 * Ownership: started once, in post_jail; lives as long as the process. The session passed to
 *            serve() lives until serve() returns; its fd belongs to serve().
 * Errors:    when auth goes away, sessions go on. In a private instance the daemon enlists anew, with a
 *            growing delay; a process that was assigned to a user ends after its last session.
 * Security:  the connection that assigned the process is the only one that brings sessions; one of
 *            another uid is refused.
 * Standards: ARCHITECTURE section 2, "Becoming a user".
 */
#ifndef SERVER_SERVER_HANDED_H
#define SERVER_SERVER_HANDED_H

#include "lib/clnt/clnt_auth.h"
#include "lib/server/server.h"

struct server_handed;

struct server_handed_def {
	size_t stack; /* of a session's fiber, 0 = default */
	void (*serve)(void *ctx, const struct clnt_auth_session *session);
	void *ctx;
};

/*
 * Start to take sessions, by what server_def says in .handed and .room. NULL with E when not even a
 * fiber can be made. Master hears when there is no room left, and again. After a reload no new sessions
 * come and the open ones go on; at a stop they are cancelled: their waits end, and they say good-bye.
 */
struct server_handed *server_handed_start(
        struct server *s, const struct server_handed_def *def, struct err *e);
size_t server_handed_count(const struct server_handed *h);

#endif
