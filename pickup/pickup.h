/*
 * pickup/pickup.h - mail of local users, from the submit socket and from maildrop/, into cleanup.
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include "lib/base/arena.h"
#include "lib/base/hash.h"
#include "lib/clnt/clnt_cleanup.h"
#include "lib/config/params.h"
#include "lib/map/userlist.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_dir.h"
#include "pickup/pickup_odd.h"

struct fiber_event;
struct ipc_pool;
struct server;
struct server_conn;

struct pickup {
	struct server *server;
	struct params_core core;
	struct params_pickup p;
	struct params_sendmail sendmail;
	struct maps_env env;
	struct userlist *submit_users; /* NULL: everybody */
	struct queue queue;
	struct ipc_pool *cleanup;
	struct fiber_event *wake;       /* look into maildrop/ now */
	struct htab uids;               /* uid -> struct pickup_uid */
	struct pickup_odd odd;          /* names in maildrop/ that the log has */
};

/* Submissions that a user has open. */
struct pickup_uid {
	unsigned open;
};

/* One mail on its way from octets of a drop file to cleanup. */
struct pickup_mail {
	struct pickup *p;
	struct clnt_cleanup *c;
	struct clnt_cleanup_open o; /* views in the arena */
	struct arena arena;
	struct drop_reader reader;
	struct buf in;              /* octets that no whole record is made of yet */
	struct buf orcpt;           /* of the recipient that follows */
	struct buf head;            /* start of the content, for a notice */
	bool opened;                /* cleanup was asked */
	bool malformed;             /* .why of the octets, not of ours */
	const char *why;
};

/* pickup_init.c */
int pickup_paths(struct server *s, struct err *e);
int pickup_pre_jail(struct server *s, struct err *e);
int pickup_post_jail(struct server *s, struct err *e);
void pickup_stopping(struct server *s);

/* pickup_serve.c */
void pickup_serve(struct server_conn *sc);

/* pickup_scan.c: the fiber that empties maildrop/ */
void pickup_scan(void *arg);

/* What a mail's nonce is made of, besides a text: doc/queue.md. */
enum pickup_origin {
	PICKUP_OF_FILE = 1,    /* the name of its file in maildrop/ */
	PICKUP_OF_DROP_ID = 2, /* what sendmail gave it, on both of its ways */
	PICKUP_OF_NOTICE = 3,  /* the name of the file that it tells of */
};

/* pickup_mail.c */
#define PICKUP_UID_UNKNOWN (-1)
void pickup_mail_init(struct pickup_mail *m, struct pickup *p, int64_t uid);
void pickup_mail_fini(struct pickup_mail *m); /* aborts what is not ended */
/* 0; -1: malformed (m->malformed, m->why), or cleanup's trouble in E (TEMP). */
MUST_USE int pickup_mail_feed(struct pickup_mail *m, struct sv octets, struct err *e);
/* After the last octet. 0 with the verdict; -1 as above. */
MUST_USE int pickup_mail_end(struct pickup_mail *m, struct clnt_cleanup_result *out, struct err *e);
/* Tell SENDER that its mail, maildrop/ID, was refused; HEAD is the start of that mail. A Maildir gets it once, however
 * often it is told. 0, or -1: try again later. */
MUST_USE int pickup_notice(struct pickup *p, struct sv id, struct sv sender, const char *reason, struct sv head,
	struct err *e);

/* pickup_requeue.c: a queue file that postsuper -r put into maildrop/ */
/* 1 requeued (or nothing left to do): remove it; 0 damaged: to corrupt/; -1 later (E). */
MUST_USE int pickup_requeue(struct pickup *p, int fd, struct err *e);

#endif
