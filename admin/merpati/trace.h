/*
 * admin/merpati/trace.h - merpati trace: the parts that put a mail's story together.
 *
 * Layer:     command.
 * Ownership: struct trace owns everything; trace_free().
 *
 * A story is a set of mails that belong together: one became the other (forwarded, requeued), tells of it
 * (notification), or has its message-id. It is found by reading the logs again and again until no mail is added.
 */
#ifndef ADMIN_MERPATI_TRACE_H
#define ADMIN_MERPATI_TRACE_H

#include "admin/merpati/merpati.h"
#include "lib/base/hash.h"
#include "lib/queue/queue_dir.h"

#define TRACE_MAILS_MAX 500    /* more: the question was too wide */
#define TRACE_LINES_MAX 200000 /* of all their lines */

enum trace_kind { TRACE_ID, TRACE_MESSAGE_ID, TRACE_ADDRESS };

struct trace_mail {
	char *id;
	struct trace_mail *story; /* another one of the same story, or itself: see trace_root() */
	bool removed;             /* the log says that it is done */
	bool printed;
};

struct trace_line {
	struct trace_mail *mail; /* NULL: refused before there was a mail */
	char *text;
};

struct trace {
	const char *asked;
	enum trace_kind kind;
	struct htab mails;    /* id -> struct trace_mail */
	struct htab messages; /* message-id -> struct trace_mail, one of those that have it */
	struct trace_mail **order;
	size_t nmails;
	struct trace_line *lines;
	size_t nlines, lines_cap;
	bool too_many; /* mails or lines were left out */
	bool grown;    /* this pass has added a mail */
	bool keep;     /* this pass keeps the lines */
	unsigned logs, skipped;
};

/* The mail ID, added when it is new. NULL: there are too many. */
struct trace_mail *trace_mail(struct trace *t, struct sv id);
void trace_join(struct trace_mail *a, struct trace_mail *b);
struct trace_mail *trace_root(struct trace_mail *m);
/* Does ADDRESS or message-id VALUE match what was asked for? */
bool trace_matches(const struct trace *t, struct sv value);
void trace_free(struct trace *t);

/* trace_log.c: one pass over FILE and its older siblings ("FILE.1", "FILE-20261129"). 0 or -1. */
MUST_USE int trace_logs(struct trace *t, const char *file, struct err *e);

/* trace_queue.c */
/* Add the mails in the queue that match. 0 or -1. */
MUST_USE int trace_queue(struct trace *t, struct queue *q, struct err *e);
/* Where ID is now, with its recipients. 1 printed; 0 it is not in the queue; -1. */
MUST_USE int trace_queue_print(struct queue *q, const char *id, struct err *e);

#endif
