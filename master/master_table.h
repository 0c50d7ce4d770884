/*
 * master/master_table.h - what master knows about programs: who may call them, when they stop.
 *
 * Layer:    daemon (pure).
 * Security: this is the one table that says which services strangers' processes may reach.
 *
 * Rows are by program and not by service name, so that a second cleanup under another name is
 * reachable as the first one is.
 */
#ifndef MASTER_TABLE_H
#define MASTER_TABLE_H

#include "lib/base/sv.h"

/* Who connects through a socket; the word stands in MERPATI_LISTEN. */
enum sock_class {
	CLASS_QUEUE, /* mail_owner's daemons */
	CLASS_NET,   /* smtpd, login */
	CLASS_OUT,   /* smtp, lmtp */
	CLASS_AUTH,  /* auth alone */
	CLASS_PUBLIC,
	CLASS_INET,
	CLASS_NONE, /* a program that calls nobody */
};

/* The order in which a stopping instance ends its services: callers before those they call. */
enum stop_stage {
	STAGE_LISTENERS, /* smtpd, login, pickup: no new mail, no new sessions */
	STAGE_READERS,   /* pop3d, imapd */
	STAGE_QMGR,      /* waits for results of its agents, so these live longer */
	STAGE_AGENTS,
	STAGE_WRITERS, /* bounce, cleanup: called by agents */
	STAGE_LOOKUPS, /* rewrite, anvil, proxymap, dns, auth */
	STAGE_LOG,     /* postlogd hears everybody's last words */
	STAGE_COUNT
};

#define KEEP_CORES 255 /* one process a core */

struct program_facts {
	const char *program;
	enum stop_stage stage;
	unsigned char keep;       /* processes that are always there; KEEP_CORES */
	unsigned char keep_free;  /* processes with room that are always there */
	bool net;                 /* smtpd and login may call it */
	bool out;                 /* smtp and lmtp may call it */
	bool auth_only;           /* auth may call it, and nobody else */
	enum sock_class calls;    /* the class of sockets by which it calls others */
	const char *only;         /* the one program that it may call; NULL: all of that class */
	const char *extra_public; /* a second public socket, by this name */
	bool tickets;             /* it speaks TLS: master gives it keys of tickets */
	bool lasting;             /* of an old generation: lives until its last session ends */
};

/* Facts of PROGRAM (no path); unknown programs are delivery agents that nobody special may call. */
const struct program_facts *table_program(const char *program);
const char *table_class_name(enum sock_class c);
/* The class of socket by which PROGRAM calls others. */
enum sock_class table_caller_class(const char *program);
/* Has a private service of a program like CALLEE a socket for callers of class C? */
bool table_has_socket(const struct program_facts *callee, enum sock_class c);
/* May a process of CALLER connect to a service run by CALLEE? */
bool table_may_call(const char *caller, const char *callee);

/*
 * The port of NAME ("smtp", "10025"). *symbolic tells a name from a number.
 *   1 found, 0 no such name, -1 not a port number
 */
MUST_USE int table_port(struct sv name, unsigned *port, bool *symbolic);

#endif
