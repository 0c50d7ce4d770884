/*
 * lib/queue/queue_mail.h - read a mail in the queue; mark its recipients.
 *
 * Layer:     queue (system calls, blocking; pread only: a file truncated under a reader is an error, no
 *            signal).
 * Ownership: the caller owns fds. Views in struct queue_mail live until queue_mail_close(); those of a
 *            struct queue_rcpt until the next queue_rcpt_next().
 * Errors:    enum queue_file_status, or -1 "could not read" (TEMP), which says nothing about the file.
 * Security:  hostile files: memory is bounded whatever the file claims, no recursion.
 */
#ifndef QUEUE_QUEUE_MAIL_H
#define QUEUE_QUEUE_MAIL_H

#include "lib/base/arena.h"
#include "lib/queue/queue_dir.h"
#include "lib/queue/queue_file.h"

struct queue_mail {
	int fd; /* the caller's */
	uint64_t file_size;
	struct queue_header h;
	struct queue_facts facts;
	struct arena arena; /* holds the facts */
};

/*
 * Read header and facts of FD, check sizes and END.
 *   QUEUE_FILE_OK   *m is filled in: queue_mail_close() later
 *   another status  E tells what is wrong; nothing to close
 *  -1               read error; nothing to close
 */
MUST_USE int queue_mail_open(struct queue_mail *m, int fd, struct err *e);
void queue_mail_close(struct queue_mail *m); /* leaves fd open */

/* Walk the whole envelope: structure, count, CRC. QUEUE_FILE_OK, QUEUE_FILE_CORRUPT (E tells) or -1. */
MUST_USE int queue_mail_check_envelope(const struct queue_mail *m, struct err *e);
/* CRC of the content: for a mail in incoming/ that nobody announced (a crash may have cut its writeback). */
MUST_USE int queue_mail_check_content(const struct queue_mail *m, struct err *e);

/* Recipients by cursor: bounded memory, any number; start, or go on at an offset. */
struct queue_rcpt_cursor {
	const struct queue_mail *m;
	uint64_t at; /* file offset of the next record: keep it to go on later */
	uint64_t buf_offset;
	size_t buf_len;
	char *buf;
};

/* OFFSET 0: the first recipient; else cursor.at of an earlier walk or the offset of a recipient. */
void queue_rcpt_start(struct queue_rcpt_cursor *c, const struct queue_mail *m, uint64_t offset);
/* 1 *r; 0 no more; -1 with E (PERM: corrupt; TEMP: read error). */
MUST_USE int queue_rcpt_next(struct queue_rcpt_cursor *c, struct queue_rcpt *r, struct err *e);
void queue_rcpt_end(struct queue_rcpt_cursor *c);

/*
 * qmgr alone, FD O_RDWR: set the cell of the recipient at OFFSET, one octet in place, not synced here.
 * 0; -1 (TEMP, or BUG when no recipient record is there).
 */
MUST_USE int queue_mail_mark(int fd, uint64_t offset, enum queue_cell cell, struct err *e);

/*
 * Is a writer (cleanup) still at work on FD? It holds flock(LOCK_EX) until its commit has returned. Ask
 * before looking at a file that nobody announced: what it holds while a writer is at it means nothing.
 * 1 nobody holds it; 0 busy, come back later; -1 with E.
 */
MUST_USE int queue_mail_settled(int fd, struct err *e);

/*
 * Remove the file of ID in N when it is left over from a crash: no header, no writer, older than
 * QUEUE_STALE_S. The writer's lock is held meanwhile, and a writer that gets its lock late looks whether
 * its file still has a name. 1 removed; 0 it is something else; -1 with E.
 */
#define QUEUE_STALE_S 10
MUST_USE int queue_remove_leftover(struct queue *q, enum queue_name n, struct sv id, struct err *e);

#endif
