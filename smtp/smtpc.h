/*
 * smtp/smtpc.h - private types of this folder.
 *
 * The way of a mail: smtpc_handle() takes it to one destination after another, to each of their addresses in
 * turn (smtpc_deliver.c); smtpc_open() connects and greets (smtpc_session.c); smtpc_mail() gives the mail to
 * that server for all recipients that wait (smtpc_mail.c). Whoever finds out what becomes of a recipient says
 * so at once (smtpc_trouble.c): delivered, bounced, deferred, or left for the next server.
 */
#ifndef SMTP_SMTPC_H
#define SMTP_SMTPC_H

#include "lib/base/list.h"
#include "lib/deliver/deliver.h"
#include "lib/fiber/stream.h"
#include "lib/map/generic.h"
#include "lib/server/own_addresses.h"
#include "lib/server/server.h"
#include "lib/wire/smtp_reply.h"
#include "smtp/smtpc_settings.h"
#include "smtp/smtpc_tls.h"

struct smtpc_cache;

/* The process. */
struct smtpc {
	struct server *server;
	struct params_core core;
	struct smtpc_settings set;
	struct smtpc_tls tls;
	struct own_addresses *own;
	struct ipc_pool *dns;
	struct smtpc_cache *cache;
	struct generic generic;
};

/* Why recipients of a mail are where they are. */
struct smtpc_why {
	bool set;
	bool dead; /* the whole server or destination: others need not try it either */
	struct dsn_code dsn;
	char text[DELIVER_TEXT_MAX + 1];
	char mta[256];                         /* who said so; empty: we do */
	char diagnostic[DELIVER_TEXT_MAX + 1]; /* its words */
};

/* Fill *W in. The text is cut, never refused. */
void smtpc_because(struct smtpc_why *w, struct dsn_code dsn, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* --- sessions: smtpc_session.c, smtpc_connect.c ---------------------------------------------------- */

/* One connection to one server. */
struct smtpc_session {
	struct list_node idle; /* in the cache */
	struct stream *stream;
	struct tls *tls;            /* NULL: in clear; part of the stream */
	char *rules;                /* struct smtpc_policy.key of the mail that it was opened for */
	bool clear_next;            /* TLS failed, and another session may do without it */
	const struct smtpc_settings *set;
	struct smtp_reply got; /* the last reply */
	unsigned features; /* enum smtpc_feature */
	uint64_t size_limit;
	char *dest;        /* the destination that it was opened for, as written */
	bool best;         /* no server of the destination is better */
	char *host, *ip;   /* of a unix socket: our name and the path */
	unsigned port;     /* 0: unix socket */
	char *name;        /* "host[ip]" for replies */
	char *relay;       /* "host[ip]:port" for log lines */
	bool broken;       /* out of step or gone: to be closed without a word */
	bool unfit;        /* it refused to talk: not for another mail */
	bool dirty;        /* a transaction was begun that had no end: RSET comes before the next */
	unsigned mails;
	int64_t opened_ms, idle_until_ms;
};

/* Where to: one address of a destination. */
struct smtpc_place {
	const struct smtpc_dest *dest;
	const struct smtpc_addr *addr; /* NULL: the unix socket of DEST */
	bool loops;                    /* an own name in the greeting means a loop */
	struct smtpc_policy policy;    /* what TLS has to be like; its texts are the mail's */
};

/* Connect. NULL with *WHY. */
struct smtpc_session *smtpc_open(struct smtpc *p, const struct smtpc_place *to, struct smtpc_why *why);
/* Greeting and EHLO. 1; -1: this server is of no use (*WHY). */
MUST_USE int smtpc_hello(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to,
	struct smtpc_why *why);
/* Say QUIT unless it is of no use, close. NULL allowed. */
void smtpc_close(struct smtpc_session *s);
/* Wait for a reply, SECONDS at most; it is in s->got. 1; -1: the session is broken, *WHY says while DOING what. */
MUST_USE int smtpc_reply(struct smtpc_session *s, long seconds, const char *doing, struct smtpc_why *why);
/* After the last reply that is due: is there more? It would be believed to be for the next command, or for the
 * dot. 1; -1 (*WHY): the session is broken, and the last reply may have been for another command, too. */
MUST_USE int smtpc_in_step(struct smtpc_session *s, const char *doing, struct smtpc_why *why);
/* Is there anything to read: words that nobody asked for, or the end of the connection? */
bool smtpc_speaks(const struct smtpc_session *s);
/* Why a session broke while DOING: RC is of a stream function. -1. */
int smtpc_lost(struct smtpc_session *s, int rc, const char *doing, struct smtpc_why *why);
/* "host X said: ... (in reply to COMMAND)" with the code of the reply. */
void smtpc_said(struct smtpc_session *s, const char *command, struct smtpc_why *why);
/* One command line without CRLF; written, not flushed. As stream_write(). */
int smtpc_command(struct smtpc_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A connected socket, or -1 with *WHY. */
int smtpc_connect(struct smtpc *p, const struct smtpc_addr *to, unsigned port, struct smtpc_why *why);

/* --- servers of a destination: smtpc_hosts.c ------------------------------------------------------- */

struct smtpc_hosts {
	struct smtpc_addr *v; /* in the order of use; memory from the arena */
	size_t n;
};

/* 0; -1: there are none, *WHY says why. *OWN: we are among its servers, and nobody is better. */
MUST_USE int smtpc_hosts_find(struct smtpc *p, const struct smtpc_dest *d, struct arena *a,
	struct smtpc_hosts *out, bool *own, struct smtpc_why *why);

/* --- one mail: smtpc_deliver.c, smtpc_mail.c, smtpc_content.c, smtpc_trouble.c ------------------------- */

/* A request under way. */
struct smtpc_try {
	struct smtpc *p;
	struct deliver_request *rq;
	struct smtpc_session *s;
	/* what servers are told, after smtp_generic_maps */
	struct sv sender, *recipients;
	struct smtpc_why why; /* of recipients that no server has taken yet */
	bool final;           /* no other server comes after this one */
	/* qmgr waits for ipc_timeout, then another agent has the mail: as fiber_deadline() */
	int64_t dot_by, answer_by;
	unsigned sessions;
};

void smtpc_handle(struct deliver_request *rq, void *smtpc);

/* Recipients that still wait. */
size_t smtpc_left(const struct deliver_request *rq);
/* Give the mail to t->s for all that wait. t->s->broken tells what may be done with the session afterwards.
 * False: nothing was begun because a session that had been used before is gone; a new one may be tried. */
bool smtpc_mail(struct smtpc_try *t);

/* What befell recipient I: delivered for good, left for the next server (temporary, and there is one), deferred
 * or bounced. */
void smtpc_rcpt_failed(struct smtpc_try *t, size_t i, const struct smtpc_why *why);
void smtpc_rcpt_sent(struct smtpc_try *t, size_t i);
/* The same for all that wait. A server that is dead is told to qmgr with the last of them. */
void smtpc_all_failed(struct smtpc_try *t, const struct smtpc_why *why);

/* Send the content and the end of data. 1; -1: the end was not sent, the session must be given up (*WHY). */
MUST_USE int smtpc_content(struct smtpc_try *t, struct smtpc_why *why);

#endif
