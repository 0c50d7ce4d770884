/*
 * login/login.h - private types of login: a reader's connection before sign-in.
 *
 * Layer:     daemon.
 * Ownership: struct login_peer lives on the fiber's stack, its strings in the connection's arena.
 * Security:  everything read here comes from strangers; a session uses some kB and is jailed.
 */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H

#include <netinet/in.h>

#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/stream.h"
#include "lib/server/server.h"

struct login_settings {
	const char *greeting;
	const char *hostname;
	int64_t timeout_ms;    /* until signed in, whatever is sent */
	unsigned max_errors;   /* bad commands */
	unsigned max_attempts; /* refused sign-ins */
};

struct login {
	struct login_settings set;
	struct ipc_pool *auth;
};

enum login_protocol { LOGIN_POP3, LOGIN_IMAP };

#define LOGIN_USER_MAX 320

/* One connection. */
struct login_peer {
	const struct login *login;
	enum login_protocol protocol;
	struct stream *stream;
	struct server_conn *sc; /* NULL in tests */
	char remote[INET6_ADDRSTRLEN];
	char local[INET6_ADDRSTRLEN];
	char session[24];
	bool plaintext_ok; /* from loopback, until there is TLS */
	int64_t started_ms;
	int64_t deadline; /* of everything before sign-in */
	unsigned errors;
	unsigned attempts;             /* refused */
	char user[LOGIN_USER_MAX + 1]; /* of the last attempt, made safe for the log */
};

enum login_result {
	LOGIN_HANDED,  /* another process has the client: send nothing more */
	LOGIN_REFUSED, /* wrong user or password */
	LOGIN_TROUBLE, /* of ours: come again */
	LOGIN_GONE,    /* the connection cannot be used any more */
};

/* Sign in and, if that went well, hand the connection over (login_signin.c). TAG: IMAP's. PASSWORD
 * is wiped where it stands. */
enum login_result login_try(
        struct login_peer *p, struct sv user, struct sv password, struct sv tag);
/* base64 "authzid NUL authcid NUL password" (RFC 4616); views into OUT. 1, or -1 not of that form.
 */
MUST_USE int login_plain_decode(
        struct sv base64, struct buf *out, struct sv *user, struct sv *password);

/* The dialogues: until the client is handed over, leaves, or is sent away. WHY for the log. */
const char *login_pop3(struct login_peer *p);
const char *login_imap(struct login_peer *p);

/* One connection from accept to its end. */
void login_serve_fd(
        const struct login *l, enum login_protocol protocol, int fd, struct server_conn *sc);
/* May a client there send a password in the clear? */
bool login_is_loopback(const struct sockaddr_storage *ss);
/* Nothing is begun: a stop may end this connection. */
void login_idle(struct login_peer *p, bool idle);

#endif
