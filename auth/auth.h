/*
 * auth/auth.h - private types of auth.
 *
 * Layer:     daemon.
 * Ownership: one struct auth a process, made in post_jail and never freed.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/auth_dir.h"
#include "auth/auth_penalty.h"
#include "auth/auth_switch.h"
#include "lib/ipc/msg.h"
#include "lib/server/rights.h"
#include "lib/server/server.h"

/* What auth wants of its settings, copied so that tests need no configuration. */
struct auth_settings {
	int64_t failure_delay_ms;
	int64_t wait_ms; /* for a process with room */
	unsigned workers, pam_workers; /* processes of auth-worker, auth-pam */
	uid_t only_uid;  /* a private instance serves this uid only; (uid_t)-1: a system instance */
	gid_t only_gid;
	/* a system instance: users of the users file and of the system, but not these */
	struct rights_own own;
	uid_t default_uid;     /* default_privs */
	gid_t default_gid;
	uid_t first_valid_uid; /* for sign-in */
	const char *names[2];  /* domains that unix users may sign in with: myhostname, mydomain */
};

struct auth_services;
struct auth_virtual;

struct auth {
	struct auth_settings set;
	struct auth_services *services; /* as whom pipe's services run */
	struct auth_virtual *virtual;   /* whose virtual mailboxes are; NULL in a private instance */
	struct auth_dir *dir;
	struct auth_penalty *penalty;
	struct auth_switch *sw;
	struct ipc_pool *workers; /* auth-worker */
	struct ipc_pool *pam;     /* auth-pam; NULL in a private instance */
};

/* The user that signed in on a connection and was not handed over yet. */
struct auth_ticket {
	unsigned char token[16];
	int64_t expires; /* clock_mono_ms(); 0: none */
	char service[8];
	struct auth_account who;
	struct arena arena; /* of WHO */
};

/* One connection from another process, until it ends. */
void auth_serve(struct server_conn *c);
/* The same without the skeleton (tests; SC is NULL): CLS is the listener's class ("queue", "net").
 */
void auth_serve_fd(struct auth *a, int fd, const char *cls, struct server_conn *sc);

/*
 * The user NAME, of the users file or, in a system instance, of the system (auth_account.c). LOOSE as for
 * auth_dir_find().
 *   1  *out is filled in; .unix_account tells which kind
 *   0  no such user
 *  -1  could not find out (E)
 */
MUST_USE int auth_account_find(struct auth *a, struct sv name, bool loose, struct arena *arena,
        struct auth_account *out, struct err *e);
/* The first user that has this UID. 1, 0, -1. */
MUST_USE int auth_account_find_uid(
        struct auth *a, uid_t uid, struct arena *arena, struct auth_account *out, struct err *e);
/* May a process of this instance be WHO's? 1, or -1 with E (CONFIG). */
MUST_USE int auth_account_allowed(const struct auth *a, const struct auth_account *who, struct err *e);

/*
 * Check a user's password (auth_signin.c). Delays a refusal.
 *   1  T holds a fresh ticket
 *   0  refused
 *  -1  temporary trouble (E)
 */
MUST_USE int auth_sign_in(
        struct auth *a, const struct msg_auth_sign_in *m, struct auth_ticket *t, struct err *e);

/* --- auth_services.c: user= of the services of master.cf that are pipe's --------------------------- */
/* NULL with E (CONFIG): master.cf cannot be read. Accounts are looked up now, one that is missing is told when it
 * is asked for. */
MUST_USE struct auth_services *auth_services_new(const char *config_dir, struct err *e);
void auth_services_free(struct auth_services *s);
/* S may be NULL. 1, -1 with E. */
MUST_USE int auth_services_find(const struct auth_services *s, struct sv name, struct auth_account *out, struct err *e);

/* --- auth_virtual.c: virtual_uid_maps, virtual_gid_maps --------------------------------------------- */
struct params_core;
struct params_virtual;
MUST_USE struct auth_virtual *auth_virtual_new(
        const struct params_core *core, const struct params_virtual *p, struct err *e);
void auth_virtual_free(struct auth_virtual *v);
/* Whose mailbox is ADDRESS's? V may be NULL. 1, -1 with E. */
MUST_USE int auth_virtual_find(struct auth_virtual *v, struct sv address, struct auth_account *out, struct err *e);

/*
 * Who is meant (auth_identity.c)? KIND and NAME as in the messages who and assign; FD for "owner", else -1.
 *   1  *out is filled in: an identity that this instance serves
 *   0  no such user
 *  -1  temporary trouble, or an identity that is refused (E)
 */
MUST_USE int auth_identity(struct auth *a, struct sv kind, struct sv name, int fd, struct arena *arena,
        struct auth_account *out, struct err *e);

#endif
