/*
 * smtpd/smtpd.h - private types of the SMTP server.
 *
 * Ownership: struct smtpd_process lives as long as the process; struct smtpd_session on the stack of
 *            its fiber; what a transaction needs lives in its arena until smtpd_txn_reset().
 * Security:  everything that the client sent is hostile; this process holds no key to the queue or to
 *            mailboxes: it asks cleanup, trivial-rewrite, proxymap, dnsd, anvil and auth.
 * Standards: RFC 5321; 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING), 6152 (8BITMIME),
 *            6531 (SMTPUTF8), 3207 (STARTTLS), 8314 (TLS from the first octet).
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "lib/base/arena.h"
#include "lib/clnt/clnt_anvil.h"
#include "lib/clnt/clnt_auth.h"
#include "lib/clnt/clnt_cleanup.h"
#include "lib/clnt/clnt_dns.h"
#include "lib/clnt/clnt_rewrite.h"
#include "lib/config/notify_classes.h"
#include "lib/config/params.h"
#include "lib/fiber/stream.h"
#include "lib/map/matchlist.h"
#include "lib/server/server.h"
#include "lib/wire/smtp_args.h"
#include "lib/wire/smtp_cmd.h"
#include "lib/wire/smtp_data.h"
#include "smtpd/smtpd_access.h"
#include "smtpd/smtpd_history.h"
#include "smtpd/smtpd_maps.h"
#include "smtpd/smtpd_tls.h"

/* What all sessions of a process share; read-only after post_jail. */
struct smtpd_process {
	struct params_core core;
	struct params_smtpd smtpd;
	struct smtpd_access access;      /* parsed smtpd_*_restrictions */
	struct maps_env maps_env;        /* how tables are reached: files by way of proxymap */
	struct smtpd_maps maps;          /* which recipients exist */
	struct smtpd_tls tls;
	struct matchlist *mynetworks;
	struct matchlist *limit_exceptions; /* smtpd_client_event_limit_exceptions */
	enum smtp_bare_newline bare_newline;
	unsigned notify_classes;         /* those that a session can be of */
	int queue_file;                  /* for free space: fstatvfs() works inside the jail */
	struct ipc_pool *cleanup, *rewrite, *dns, *anvil, *auth;
	struct clnt_rewrite *rewriter;
};

struct smtpd_peer {
	char addr[64];        /* without brackets; "unknown" when the socket has no address */
	char port[8];
	const char *name;     /* verified host name, or "unknown" */
	const char *namaddr;  /* "name[addr]" for logs and replies */
	int name_status;      /* 2 verified, 4 temporary trouble, 5 none */
	bool mynetworks;
	bool same_host;
	bool local_rewrite;   /* header rewriting as for local mail */
	bool limited;         /* anvil limits apply */
};

/* One mail transaction: from MAIL to the end of DATA, RSET or HELO. */
struct smtpd_txn {
	bool active;          /* MAIL was accepted */
	struct smtp_mail mail;
	unsigned rcpt_ok, rcpt_tried;
	struct sv last_rcpt;  /* for "for <...>" of Received: */
	const char *queue_id; /* NULL until the first accepted recipient opened a queue file */
};

/* What the client did so far, for limits and the line at the end. */
struct smtpd_counts {
	unsigned errors, junk, ok_cmds, all_cmds;
	unsigned ok[SMTP_VERB_COUNT], all[SMTP_VERB_COUNT];
};

struct smtpd_session {
	struct smtpd_process *proc;
	struct server_conn *conn;
	struct stream *io;
	struct tls *tls;      /* NULL: in clear; part of io */
	const char *tls_unwelcome; /* why the session is to end though its handshake was good; NULL: it is not */
	struct smtpd_peer peer;
	struct sv helo;       /* empty: none yet */
	bool esmtp;
	struct smtpd_txn txn;
	struct arena txn_arena;
	struct clnt_cleanup *cleanup; /* one after another, of the transactions */
	struct smtpd_counts counts;
	struct smtpd_history history; /* kept while the postmaster may have to be told */
	unsigned errors;              /* enum notify_class bits, since history was reset */
	const char *where;    /* last command, for "lost connection after X" */
	bool quit;            /* end the session after this reply */
	bool hung_up;         /* the peer is gone: no more replies */
};

/* smtpd_process.c */
int smtpd_pre_jail(struct server *s, struct err *e);
int smtpd_post_jail(struct server *s, struct err *e);

/* smtpd_session.c: the whole dialogue */
void smtpd_serve(struct server_conn *c);
void smtpd_txn_reset(struct smtpd_session *s);

/* smtpd_peer.c: address and verified name of the client */
void smtpd_peer_init(struct smtpd_session *s);

/* smtpd_limits.c: connection and rate limits by anvil; each replies itself when it refuses */
bool smtpd_limit_connect(struct smtpd_session *s);
void smtpd_limit_disconnect(struct smtpd_session *s);
bool smtpd_limit_message(struct smtpd_session *s);
bool smtpd_limit_recipient(struct smtpd_session *s);
bool smtpd_limit_tls(struct smtpd_session *s); /* no reply: the caller refuses */

/* smtpd_reply.c */
void smtpd_reply(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* One line of a reply that goes on: "250-SIZE". */
void smtpd_reply_more(struct smtpd_session *s, int code, const char *text);
/* As smtpd_reply() for 4xx and 5xx: counts an error of class "protocol", sleeps when there were many. */
void smtpd_refuse(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* The same for an error of CLASS. */
void smtpd_refuse_class(struct smtpd_session *s, enum notify_class class, int code, const char *dsn,
	const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The reply that the parser of a command's arguments asks for. */
void smtpd_refuse_fault(struct smtpd_session *s, const struct smtp_fault *fault);
/* Log and reply what a restriction decided. */
void smtpd_refuse_verdict(struct smtpd_session *s, const char *command, const struct smtpd_verdict *v);
/* Log "QID: reject: RCPT from ..." or "NOQUEUE: reject: ..." */
void smtpd_log_reject(struct smtpd_session *s, const char *command, const char *reply);

/* smtpd_notify.c */
/* Something of CLASS went wrong. */
void smtpd_error(struct smtpd_session *s, unsigned class);
/* When more than THRESHOLD lines were said: forget them, and when something went wrong tell the postmaster. */
void smtpd_notify(struct smtpd_session *s, unsigned threshold);

/* One function a command; CMD->arg is what followed the verb. */
/* Is KEYWORD not in smtpd_discard_ehlo_keywords? */
bool smtpd_offers(const struct smtpd_session *s, const char *keyword);
void smtpd_cmd_helo(struct smtpd_session *s, const struct smtp_cmd *cmd);
void smtpd_cmd_mail(struct smtpd_session *s, const struct smtp_cmd *cmd);
void smtpd_cmd_rcpt(struct smtpd_session *s, const struct smtp_cmd *cmd);
void smtpd_cmd_data(struct smtpd_session *s, const struct smtp_cmd *cmd);
void smtpd_cmd_vrfy(struct smtpd_session *s, const struct smtp_cmd *cmd);
/* What all restrictions together say of a recipient (RCPT and VRFY). */
struct smtpd_verdict smtpd_rcpt_verdict(struct smtpd_session *s, struct sv recipient);

/* Deadline of one wait for the client: smtpd_timeout from now. */
int64_t smtpd_deadline(const struct smtpd_session *s);

#endif
