/*
 * qmgr/qmgr.h - private types of the queue manager.
 *
 * Layer:     qmgr.
 * Ownership: struct qmgr owns everything here; one thread, many fibers. A struct message lives from
 *            message_take() until message_forget(); a recipient until its outcome is recorded.
 *
 * The way of a mail (states in doc/qmgr.md):
 *
 *   arrivals (qmgr_scan.c) -> take: file to active/, recipients into memory, resolved
 *   (qmgr_message.c) -> entries in the scheduler (qmgr_sched.c) -> workers (qmgr_worker.c) talk to
 *   agents (qmgr_agent.c) -> outcomes (qmgr_outcome.c) -> finish: removed or to deferred/
 *   (qmgr_finish.c)
 */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/clnt/clnt_rewrite.h"
#include "lib/config/params.h"
#include "lib/deliver/deliver.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/map/userlist.h"
#include "lib/queue/done_log.h"
#include "lib/queue/queue_mail.h"
#include "lib/server/server.h"
#include "qmgr/qmgr_sched.h"

#define QMGR_INTAKE_FIBERS 8
#define QMGR_FINISH_FIBERS 2            /* remove or put aside */
#define QMGR_TELL_FIBERS   4            /* those with something to tell first: bounce may be slow */
#define QMGR_BATCH         1000         /* recipients read at once */
#define QMGR_ARRIVALS_MAX  20000        /* ids remembered; more are found by a scan */
#define QMGR_BACKLOG_HIGH  1000         /* arrivals waiting: no credits */
#define QMGR_OPEN_FILES    256          /* queue files kept open */
#define QMGR_BOUNCE_MS     (300 * 1000) /* for an answer of bounce */
#define QMGR_RESOLVE_MS    (300 * 1000)

struct message;

/* Recipients that were read together share memory. */
struct batch {
	struct arena arena;
	size_t live;
};

struct rcpt {
	struct rcpt *next;
	struct batch *batch;
	uint64_t offset;
	uint32_t notify;
	bool expanded; /* an alias that cleanup expanded: only to be reported */
	struct sv address; /* as in the queue file; after resolving, as it goes to the agent */
	struct sv original;
	struct sv orcpt;
};

struct job {
	struct list_node node;
	struct sched_transport *transport;
	struct sched_job sched;
};

struct entry {
	struct sched_entry en;
	struct message *msg;
	struct rcpt *first, **tail;
	bool retried;       /* an agent broke off once */
	struct entry *left; /* list of .left in struct qmgr */
};

/* A done-log on disk: one for each connection to an agent. */
struct agent_log {
	char name[DONE_LOG_NAME_MAX + 1];
	int fd;
	unsigned refs; /* messages with results in it that are not yet in their queue file */
	bool closed;   /* no agent writes to it any more */
};

struct mark {
	uint64_t offset;
	enum queue_cell cell;
};

struct message {
	struct qmgr *qm;
	struct list_node finish;
	char id[QUEUE_ID_MAX + 1];
	struct queue_mail mail; /* facts, header; .fd -1 while the file is closed */
	bool open;              /* .mail is filled in */
	bool busy;              /* recipients are being read */
	bool read_all;          /* the cursor has seen the last recipient */
	bool finishing;
	bool again; /* announced while it is here: look once more when it is forgotten */
	uint64_t cursor;
	int64_t active_us;
	size_t live;                    /* recipients in memory */
	unsigned in_use;                /* fibers that need the open file */
	bool suspect;                   /* a delivery may have happened before */
	bool deferred, bounced, traced; /* outcomes, and logs that exist */
	bool warned;                    /* its sender has got the delay warning */
	bool warn_now;
	bool expired;
	bool report;  /* sendmail -v: tell the sender how this attempt went */
	bool corrupt; /* its envelope turned out to be damaged */
	struct list jobs;
	struct mark *marks;
	size_t nmarks, marks_cap;
	bool unsynced; /* marks were written and not synced */
	struct agent_log **logs;
	size_t nlogs;
};

/* What became of a recipient. */
struct outcome {
	struct rcpt *rcpt;
	enum queue_result result;
	enum queue_action action;
	struct sv dsn, text, remote_mta, diagnostic;
};

struct arrival {
	struct list_node node;
	enum queue_name from; /* incoming or deferred */
	bool announced;       /* cleanup said that its commit is done */
	char id[QUEUE_ID_MAX + 1];
};

struct flush_request {
	struct list_node node;
	struct arena arena;
	struct sv_list sites, ids;
};

struct qmgr {
	struct server *server;
	struct config *cfg;
	struct params_core core;
	struct maps_env env;
	struct userlist *flush_users; /* NULL: everybody */
	struct params_qmgr p;
	struct queue q;
	struct sched sched;
	struct htab messages; /* by id: in active/, or on the way there */
	size_t nrcpts;
	size_t open_files;
	struct ipc_pool *bounce;
	struct ipc_pool *rewrite_pool;
	struct clnt_rewrite *rewrite;
	struct list fresh, old; /* struct arrival: from incoming/, from deferred/ */
	bool old_turn;
	bool rescan;                 /* incoming/ must be scanned: ids were dropped */
	struct fiber_event *arrived; /* something in fresh or old */
	struct fiber_event *room;    /* less to do than before */
	struct fiber_event *run;     /* scan now */
	struct list flushes;
	struct list finish, tell; /* struct message */
	struct fiber_event *finished, *told;
	struct list idle_workers;
	unsigned workers;
	unsigned busy_fibers; /* intake and finish fibers at work */
	struct hash_seed seed;
	int64_t suspect_before_us; /* mails that arrived before may have been delivered */
	uint64_t log_seq;
	bool recovering, recovered;
	bool stopping;
	struct entry *left; /* deliveries that the stop cut off: the next qmgr makes them */
};

/* qmgr_start.c: recovery, fibers, stop */
int qmgr_open(struct qmgr *qm, struct server *s, struct err *e);
int qmgr_start(struct qmgr *qm, struct err *e);
void qmgr_stop(struct qmgr *qm);
int64_t qmgr_wall_us(void);

/* qmgr_recover.c: what an earlier process left */
int qmgr_recover(struct qmgr *qm, struct err *e);
/* The marker of a clean stop. Write: 0 or -1. */
int qmgr_clean_write(struct qmgr *qm, struct err *e);

/* qmgr_scan.c: which mails come next */
void qmgr_arrived(struct qmgr *qm, struct sv id, enum queue_name from, bool announced);
bool qmgr_behind(const struct qmgr *qm);
/* The next mail to take; waits. False: stop. */
bool qmgr_next_arrival(struct qmgr *qm, struct arrival *out);
void qmgr_scan_fiber(void *arg);
/* Try deferred mail now; empty lists: all of it. 0, or -1: too many such requests wait. */
MUST_USE int qmgr_flush(struct qmgr *qm, const struct sv_list *sites, const struct sv_list *ids);

/* qmgr_serve.c: the socket */
void qmgr_serve(struct server_conn *c);

/* qmgr_message.c: a mail in memory */
void qmgr_intake_fiber(void *arg);
/* The queue file, opened for reading; give it back. -1 with E. */
int message_file_get(struct message *m, struct err *e);
void message_file_put(struct message *m);
/* Go on with it: read more recipients, or finish it. */
void message_check(struct message *m);
void message_forget(struct message *m);

/* qmgr_route.c: recipients to destinations */
/* Resolve N recipients and queue them; those that cannot be delivered now get their outcome. */
void message_route(struct message *m, struct rcpt **rcpts, size_t n);

/* qmgr_outcome.c */
/* Record what became of N recipients of M and free them. May finish M: do not touch it after. */
void message_outcomes(struct message *m, struct outcome *o, size_t n);
/* Does a recipient with NOTIFY want to be told of this result? */
bool qmgr_wants_report(uint32_t notify, enum queue_result result);
/* What a delivery is called in a report; NULL: whoever has the mail now reports it, unless ALL. */
const char *qmgr_action_name(enum queue_action action, bool all);
/* Remember that a cell of the queue file is to be set. */
void message_mark(struct message *m, uint64_t offset, enum queue_cell cell);
/* Defer all recipients of a waiting or ended entry, with "4.x.y text", and free it. LOG: no agent
 * has logged them. */
void entry_defer(struct entry *en, const char *reason, bool log);

/* qmgr_finish.c */
void qmgr_finish_fiber(void *arg);
void qmgr_tell_fiber(void *arg);
void message_finish(struct message *m);
/* Write M's marks into its queue file, durably when SYNC. 0; -1 with E. */
int message_write_marks(struct message *m, bool sync, struct err *e);

/* qmgr_worker.c: deliveries */
void qmgr_kick(struct qmgr *qm, struct sched_transport *t);
/* Wake an idle worker (a node of idle_workers), to end. */
void worker_wake(struct list_node *n);

/* qmgr_agent.c: done-logs */
struct agent_log *agent_log_new(struct qmgr *qm, struct err *e);
/* No agent has it any more. */
void agent_log_close(struct qmgr *qm, struct agent_log *log);
void message_log_hold(struct message *m, struct agent_log *log);
void message_logs_release(struct message *m);

/* qmgr_log.c */
void qmgr_log_rcpt(const struct message *m, const struct rcpt *r, enum deliver_status status,
        struct sv dsn, struct sv text);
void qmgr_log_active(const struct message *m, size_t nrcpt);

#endif
