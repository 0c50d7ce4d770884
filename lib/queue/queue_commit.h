/*
 * lib/queue/queue_commit.h - write a mail and make it durable: the one place where that happens.
 *
 * Layer:     queue (offloads to the durability pool: call it on a fiber).
 * Ownership: queue_writer_init() .. queue_writer_fini(); without a successful commit fini leaves nothing.
 * Errors:    -1 with E (TEMP: disk; PERM: over a ceiling). After an error only fini is allowed.
 * Promise:   when queue_commit() has returned 0 the mail (content, envelope, directory entry) survives
 *            kill -9 of every process and a power cut. When it has returned -1 the mail is gone; should
 *            its removal fail too, the worst is that it is delivered although it was refused.
 *
 * Waits:     while other mails are written a commit waits for its turn, at most QUEUE_TURN_MS: then it fails (TEMP)
 *            and nothing of it was begun. Once its turn has come, the wait ends when the disk has answered, or
 *            reported an error, and not before: the kernel has the mail then, and an answer that is given without
 *            knowing could refuse a mail that is queued. A disk that answers nobody stops what asks it; whoever
 *            waits for the verdict (smtpd, pickup, ...) has a deadline of its own.
 *
 * Content up to QUEUE_SMALL octets stays in memory: the whole mail is then one create, one write and one
 * fsync. Commits that wait are made durable together: one offload, one fsync of a directory. Larger content
 * goes to the file as it comes.
 */
#ifndef QUEUE_QUEUE_COMMIT_H
#define QUEUE_QUEUE_COMMIT_H

#include "lib/queue/queue_dir.h"
#include "lib/queue/queue_file.h"

#define QUEUE_SMALL (64 * 1024)

struct queue_writer {
	struct queue *q;
	struct queue_header h;
	struct buf out;       /* not yet in the file: room for the header, content */
	struct buf envelope;  /* records: facts, recipients */
	uint64_t flushed;     /* octets of the file that are written */
	uint64_t line;        /* octets in the current line */
	int last;             /* last octet of content, -1 none */
	int fd;               /* -1: no file yet */
	uint64_t failures;    /* of its directory's fsyncs, before the file was made */
	bool in_header;       /* no empty line yet */
	bool facts_done;
	bool failed;
	bool committed;
};

/* Makes id (w->h.id), nonce and arrival time; ARRIVAL_US 0 = now. Until commit the caller may set h.nonce and
 * h.mail_flags. */
void queue_writer_init(struct queue_writer *w, struct queue *q, int64_t arrival_us);
void queue_writer_fini(struct queue_writer *w);
/* Content with LF line ends, in pieces of any size. May offload. 0 or -1. */
MUST_USE int queue_writer_put(struct queue_writer *w, struct sv octets, struct err *e);
/* Facts: once, before the first recipient. 0 or -1. */
MUST_USE int queue_writer_facts(struct queue_writer *w, const struct queue_facts *f, struct err *e);
/* r->cell: PENDING or EXPANDED. */
MUST_USE int queue_writer_rcpt(struct queue_writer *w, const struct queue_rcpt *r, struct err *e);
/* Adds a final LF when the content lacks one; writes, syncs. 0 durable in incoming/; -1. */
MUST_USE int queue_commit(struct queue_writer *w, struct err *e);

#endif
