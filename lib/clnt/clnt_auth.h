/*
 * lib/clnt/clnt_auth.h - client of auth: the user directory, sign-in, the switchboard of sessions.
 *
 * Layer:     clnt (event loop: every call waits on the calling fiber, until DEADLINE).
 * Ownership: results live in the caller's arena; fds are named at each function.
 * Errors:    -1 with E (class TEMP): auth did not answer, or could not find out. That is never
 *            "no such user" and never "wrong password".
 * Security:  passwords are wiped from the frame that carried them; the caller wipes its own copy.
 *            exists() may be asked by anybody; who() and enlist() are answered only to class queue,
 *            enlist() only to the owner of a private instance, or to root.
 *
 *     struct ipc_pool *auth = server_pool(s, "auth", 8);          // once, in post_jail
 *     int rc = clnt_auth_exists(auth, SV("anna@example.test"), fiber_deadline(10000), &e);
 */
#ifndef CLNT_AUTH_H
#define CLNT_AUTH_H

#include <sys/types.h>

#include "lib/ipc/ipc.h"

/*
 * May mail be sent to NAME ("user" or "user@domain", no extension)?
 *   1  yes
 *   0  no such user
 *  -1  could not find out (E)
 */
MUST_USE int clnt_auth_exists(
        struct ipc_pool *auth, struct sv name, int64_t deadline, struct err *e);

struct clnt_auth_identity {
	struct sv name; /* the account: user@domain */
	uid_t uid;
	gid_t gid;
	struct sv home; /* absolute */
	struct sv mail; /* a mail location: store_location() */
	struct sv shell; /* may be empty */
	struct u32_list groups; /* besides GID; only where auth assigns a process */
};

/*
 * Who is NAME (as for exists)? Class queue only.
 *   1  *out is filled in
 *   0  no such user
 *  -1  could not find out (E)
 */
MUST_USE int clnt_auth_who(struct ipc_pool *auth, struct sv name, struct arena *a,
        struct clnt_auth_identity *out, int64_t deadline, struct err *e);

/* --- for login (and smtpd's AUTH): a connection of one's own, as the token is bound to it --------
 */
struct clnt_auth_attempt {
	struct sv service; /* "imap", "pop3", "smtp" */
	struct sv user;
	struct sv password;
	struct sv remote_addr;
	struct sv local_addr;
	bool secured; /* TLS */
};

#define CLNT_AUTH_TOKEN_LEN 16

struct clnt_auth_verdict {
	struct sv user;  /* the account's full name, when signed in */
	struct sv token; /* redeem within 30 s, once, on the same connection */
	struct sv text;  /* why not, for the peer; may be empty */
};

/*
 * May this user sign in?
 *   1  yes
 *   0  wrong name or password, or sign-in is not allowed to this user: nobody learns which
 *  -1  temporary trouble (E); tell the client to come again
 * The answer to a refused attempt is delayed by auth.
 */
MUST_USE int clnt_auth_sign_in(struct ipc_conn *c, const struct clnt_auth_attempt *what,
        struct arena *a, struct clnt_auth_verdict *out, int64_t deadline, struct err *e);

struct clnt_auth_hand_over {
	struct sv token;
	struct sv service; /* "imap", "pop3" */
	struct sv input;   /* octets read from the client and not consumed, at most 64 kB */
	struct sv tag;     /* IMAP: tag of the command that signed in; imapd answers it */
	struct sv remote_addr;
	struct sv local_addr;
	struct sv session; /* id for the log */
};

/*
 * Pass the client's socket on to a process that serves this user. CLIENT_FD stays the caller's, who
 * closes it in any case.
 *   1  a process has it
 *  -1  nobody took it (E): the caller still talks to the client
 */
MUST_USE int clnt_auth_hand_over(struct ipc_conn *c, const struct clnt_auth_hand_over *what,
        int client_fd, int64_t deadline, struct err *e);

/* --- for local, virtual, pipe: class queue only ------------------------------------------------- */

/* An identity, by one of the names that auth accepts. */
struct clnt_auth_whose {
	const char *kind; /* "user", "owner", "default", "service", "virtual" */
	struct sv name;   /* of a user, as for exists; of a service; an address */
	int fd;           /* "owner": of the file whose owner is meant; else -1 */
};

/*
 * Have SERVICE_FD served by a process of SERVICE ("postman") with that identity. Both descriptors stay the
 * caller's. SESSION: id for the log.
 *   1  a process has it
 *  -1  refused, or nobody took it (E)
 */
MUST_USE int clnt_auth_assign(struct ipc_conn *c, const char *service, const struct clnt_auth_whose *whose,
        struct sv session, int service_fd, int64_t deadline, struct err *e);

/* --- for pop3d, imapd, postman: one connection for the life of the process ---------------------- */

/* Offer to serve SERVICE ("imap", "pop3", "postman") with ROOM sessions more. 1 sent, -1. */
MUST_USE int clnt_auth_enlist(
        struct ipc_conn *c, struct sv service, uint32_t room, int64_t deadline, struct err *e);
/* FREED sessions ended since the last time: so much more room. A difference, because a session may
 * be on its way while this is said. 1, -1. */
MUST_USE int clnt_auth_room(struct ipc_conn *c, uint32_t freed, int64_t deadline, struct err *e);

/*
 * Wait for the identity that a process shall take; CONN is the one that enlisted.
 *   1  *out is filled in (views live in A): answer with clnt_auth_became()
 *   0  auth closed the connection: enlist anew
 *  -1  broken connection or deadline (E)
 */
MUST_USE int clnt_auth_become(struct ipc_conn *c, struct arena *a, struct clnt_auth_identity *out,
        int64_t deadline, struct err *e);
/* WHY: what failed; NULL when the process has that identity from now on. 1, -1. */
MUST_USE int clnt_auth_became(struct ipc_conn *c, const char *why, int64_t deadline, struct err *e);

struct clnt_auth_session {
	struct clnt_auth_identity who;
	struct sv input;
	struct sv tag;
	struct sv remote_addr;
	struct sv local_addr;
	struct sv session;
	int fd; /* the client's socket, the caller's from here on */
};

/*
 * Wait for the next session.
 *   1  *out is filled in (views live in A)
 *   0  auth closed the connection: enlist anew
 *  -1  broken connection or deadline (E)
 */
MUST_USE int clnt_auth_session(struct ipc_conn *c, struct arena *a, struct clnt_auth_session *out,
        int64_t deadline, struct err *e);

#endif
