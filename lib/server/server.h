/*
 * lib/server/server.h - the daemon skeleton: one call from main() to the end of the process.
 *
 * Layer:     server.
 * Order:     argv (-o name=value, -c DIR set by master), parameters, account, pre_jail, jail, post_jail,
 *            "ready" to master, then connections or the daemon's own fiber, until master says stop,
 *            the process is idle too long, or max_use is reached.
 * Security:  no thread exists before the jail; the jail is never skipped (see lib/sys/jail.h). In a system
 *            instance the process leaves root for the account in lib/server/rights.h, if its row says so
 *            not before pre_jail; one that serves a user is assigned to that user by auth first.
 * Errors:    start-up errors are one fatal line and a sysexits code; master throttles.
 *
 * fds from master: 3 control socket (ipc), 4.. listening sockets named by MERPATI_LISTEN
 * ("inet:smtp:4 queue:cleanup:5 net:cleanup:6": class, service, fd), log datagram socket in
 * MERPATI_LOG_FD. A daemon started by hand without them says so and exits 64.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "lib/base/err.h"
#include "lib/ipc/ipc.h"

struct server;
struct config;
struct clnt_auth_identity;
struct rights_own;

struct server_conn {
	struct server *server;
	int fd;                   /* owned by the handler */
	const char *service;      /* master.cf name of the socket it came in by */
	const char *listener;     /* class of that socket: "inet", "public", "queue", "net", "out" */
	struct arena *arena;      /* of this connection; freed after serve() returns */
	void *state;              /* what post_jail put in with server_set_state() */
};

struct server_def {
	const char *name;            /* program: "smtpd" */
	unsigned client_limit;       /* fibers that serve connections at once; -o client_limit */
	size_t stack;                /* of a connection's fiber, 0 = default */
	size_t arena_ceiling;        /* memory of one connection, 0 = 16 MiB */
	unsigned jail;               /* enum jail_class bits */
	const char *rights;          /* the program whose row of lib/server/rights.h counts; NULL: NAME */
	bool singleton;              /* serves until stopped: no max_idle, no max_use */
	bool keeps_stderr;           /* it writes the log, and says by standard error what keeps it from that */
	/* Sessions come from auth (server_handed.h): under which name, and how many at once. */
	const char *handed;
	int (*room)(struct server *s, unsigned *out, struct err *e);
	/* Paths (besides none) to which Landlock leaves access; relative to the queue directory unless
	 * absolute; may be NULL. Called with the rights that the process keeps. */
	int (*paths)(struct server *s, struct err *e);
	int (*pre_jail)(struct server *s, struct err *e);   /* still outside: open tables, dirs, keys */
	int (*post_jail)(struct server *s, struct err *e);  /* fibers run: spawn own ones, pools */
	void (*serve)(struct server_conn *c);               /* NULL: no connections */
	/* Keys of TLS tickets came from master, before the first connection and later: octets, to be copied. */
	void (*tickets)(struct server *s, struct sv keys);
	void (*stopping)(struct server *s);                 /* stop was asked: finish and return */
};

int server_main(int argc, char **argv, const struct server_def *def);

struct config *server_config(struct server *s);
const char *server_service(const struct server *s);    /* name in master.cf: $service_name */
const char *server_generation(const struct server *s);
void server_set_state(struct server *s, void *state);
void *server_state(struct server *s);
bool server_is_stopping(const struct server *s); /* begin nothing new: a reload, too */
bool server_is_ending(const struct server *s);   /* a stop, or reload_grace is over: sessions end, too */
void server_stop(struct server *s, int code);
/* Take nothing new, and end when nothing is left; WHY is logged. */
void server_drain(struct server *s, const char *why);

/* Root's, with accounts of its own: see lib/server/rights.h. */
bool server_is_system(const struct server *s);
/* The accounts of a system instance. */
const struct rights_own *server_own_accounts(const struct server *s);
/* In pre_jail or paths: this process needs less than its definition says (enum jail_class bits). */
void server_give_up(struct server *s, unsigned jail);
/* In pre_jail, where the row of lib/server/rights.h says so: stay root, with these capabilities only, and DIR as the
 * root directory. Both live as long as the process. */
void server_stay_root(struct server *s, const char *dir, const int *caps, size_t ncaps);
/* Whose process this is: NULL in a private instance, and where no row says that auth assigns it. */
const struct clnt_auth_identity *server_identity(const struct server *s);

/* Arguments that master.cf gives behind the options (pipe's flags=... and so on). */
char **server_rest_args(struct server *s, int *n);
/* Socket number I of master, for daemons without .serve; -1: there are not so many. */
int server_listener(struct server *s, size_t i, const char **class, const char **service);
/*
 * IDLE: between two requests, nothing begun. Such a connection is cancelled as soon as the process shall
 * stop or, unless it came by an inet socket, drain; others get 5 s after a stop, and until master's
 * reload_grace after a reload.
 */
void server_conn_idle(struct server_conn *c, bool idle);

/* for .paths: what the process may still reach after the jail */
int server_allow_read(struct server *s, const char *path);
int server_allow_write(struct server *s, const char *path);

/*
 * Dial a service of this instance by its master.cf name ("cleanup", "rewrite", ...): mail_owner's daemons
 * connect to private/queue/NAME themselves, all others ask master. The fd, or -1 with E (TEMP).
 */
int server_dial(struct server *s, const char *service, int64_t deadline, struct err *e);
/* A pool over server_dial(). */
struct ipc_pool *server_pool(struct server *s, const char *service, unsigned max);

/* Sessions that came by other ways than accept (handed over): +1 at the begin, -1 at the end of each.
 * While there are some, the process does not leave; max_use counts them. */
void server_count_session(struct server *s, int delta);

#endif
