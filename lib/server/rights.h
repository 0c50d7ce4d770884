/*
 * lib/server/rights.h - which account each program has in a system instance, and how far it is locked in.
 *
 * Layer:    server (account look-ups go through the name service, before any jail).
 * Errors:   -1 with E, class CONFIG: an account that is missing, or that is root.
 * Security: this is the one table; master's sockets, `merpati init` and `merpati check` follow it, and
 *           tests/system-root compares it with /proc. A program without a row does not start there.
 *
 * Accounts are mail_owner ("merpati") and five more named after it. A process has exactly the uid and gid
 * of its account, no other group, and no capability.
 */
#ifndef SERVER_RIGHTS_H
#define SERVER_RIGHTS_H

#include <sys/types.h>

#include "lib/base/err.h"

enum rights_account {
	RIGHTS_MAIL, /* merpati: the queue */
	RIGHTS_NET,  /* merpati-net: meets strangers */
	RIGHTS_OUT,  /* merpati-out: talks to strangers' servers */
	RIGHTS_MAP,  /* merpati-map: look-up tables */
	RIGHTS_AUTH, /* merpati-auth: who is who */
	RIGHTS_TLS,  /* merpati-tls: private keys */
	RIGHTS_ACCOUNTS, /* so many have an account of their own */
	RIGHTS_USER, /* root until auth has assigned the process to a user */
	RIGHTS_ROOT, /* stays root */
};

struct rights {
	const char *program;
	enum rights_account account;
	bool jailed;        /* an empty root directory */
	bool opens_as_root; /* its tables or keys are opened before it changes its uid; jailed: always */
	bool keeps_caps;    /* of root: the few capabilities, and the root directory, that it names itself */
	bool set_id_below;  /* programs that it starts may be set-uid or set-gid: no no_new_privs */
};

/* Other services are connected by master: the program's account cannot reach their sockets. */
bool rights_dials(const struct rights *r);

/* NULL: there is no such program. */
const struct rights *rights_of(const char *program);
/* Row I, NULL past the last. */
const struct rights *rights_row(size_t i);

#define RIGHTS_NAME_MAX 64

struct rights_ids {
	char name[RIGHTS_NAME_MAX];
	uid_t uid;
	gid_t gid;
};

/* "merpati-net" for MAIL_OWNER merpati. 0, -1. */
MUST_USE int rights_name(enum rights_account a, const char *mail_owner, char out[RIGHTS_NAME_MAX], struct err *e);
/* 1 *out; 0 there is no such account; -1. */
MUST_USE int rights_find(enum rights_account a, const char *mail_owner, struct rights_ids *out, struct err *e);

/* All accounts of an instance. */
struct rights_own {
	struct rights_ids ids[RIGHTS_ACCOUNTS];
};

/* 0, or -1: one is missing; E says how to make it. */
MUST_USE int rights_own(const char *mail_owner, struct rights_own *out, struct err *e);
/* Why nobody's process may have this uid, or this group: NULL it may. */
const char *rights_refuse_uid(const struct rights_own *own, uid_t uid);
const char *rights_refuse_gid(const struct rights_own *own, gid_t gid);

#endif
