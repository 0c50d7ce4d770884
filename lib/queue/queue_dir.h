/*
 * lib/queue/queue_dir.h - the directories of a spool: paths, scans, moves.
 *
 * Layer:     queue (system calls; every function here blocks, none waits for a peer).
 * Ownership: queue_open() .. queue_close(); fds that are handed out belong to the caller.
 * Errors:    1 done, 0 no such mail, -1 with E (TEMP).
 * Security:  ids are checked before they become paths; files are opened O_NOFOLLOW | O_NONBLOCK and must
 *            be regular with one link.
 *
 * SPOOL/<queue>/<h>/<id>, h = queue_id_hash(), but maildrop and done are flat. A move is one rename(2):
 * after a crash the mail is in one place or the other, never in both or none.
 */
#ifndef QUEUE_QUEUE_DIR_H
#define QUEUE_QUEUE_DIR_H

#include <dirent.h>
#include <pthread.h>
#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/queue/queue_id.h"

enum queue_name {
	QUEUE_DIR_MAILDROP,
	QUEUE_DIR_INCOMING,
	QUEUE_DIR_ACTIVE,
	QUEUE_DIR_DEFERRED,
	QUEUE_DIR_HOLD,
	QUEUE_DIR_CORRUPT,
	QUEUE_DIR_BOUNCE, /* logs named like the mail: lib/queue/bounce_log.h */
	QUEUE_DIR_DEFER,
	QUEUE_DIR_TRACE,
	QUEUE_DIR_DONE,   /* done-logs: lib/queue/done_log.h */
	QUEUE_DIR_COUNT,  /* how many */
};

#define QUEUE_HASH_DIRS 16
#define QUEUE_PATH_MAX  64 /* "deferred/F/" + id + NUL, relative to the spool */

/*
 * State of the fsyncs of one directory, which concurrent commits share. The kernel tells an error once to
 * each descriptor that was open then. So the descriptor is older than every entry that it vouches for, and an
 * entry that is older than the end of a failed round is not vouched for by any later one.
 */
struct queue_dirsync {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t asked;    /* tickets handed out */
	uint64_t done;     /* tickets up to here are answered */
	uint64_t failures; /* rounds that failed */
	int failed_errno;  /* of the last of them */
	bool running;
	int fd;            /* -1 until the first entry is about to be made */
};

/* Below the time that smtpd waits for a verdict. */
#define QUEUE_TURN_MS (240 * 1000)

struct commit_batch;  /* lib/queue/queue_commit.c */
struct fiber_sem;

struct queue {
	int root;             /* the spool */
	struct queue_dirsync incoming[QUEUE_HASH_DIRS];
	struct commit_batch *forming; /* takes commits until its turn comes */
	struct fiber_sem *turns;      /* for batches to be at work; NULL before the first */
	unsigned nturns;              /* how many there are, taken or not */
	int64_t turn_ms;              /* longest wait for one; queue_open() sets QUEUE_TURN_MS */
};

/* SPOOL is queue_directory. The directories below need not exist yet. 0 or -1. */
int queue_open(struct queue *q, const char *spool, struct err *e);
void queue_close(struct queue *q);
/* Make what is missing, mode 0700, and sync it. 0 or -1. */
int queue_create_dirs(struct queue *q, struct err *e);

const char *queue_dir_name(enum queue_name n); /* "deferred" */
/* 1 *out; 0 NAME is none of them. */
int queue_dir_by_name(struct sv name, enum queue_name *out);
/* "deferred/F/ID", relative to the spool. 0; -1 when ID is not valid. */
MUST_USE int queue_path(enum queue_name n, struct sv id, char out[QUEUE_PATH_MAX]);

/* Open a mail or log; FLAGS of open(2) without O_CREAT. 1 *fd; 0 absent; -1 (also: no regular file). */
MUST_USE int queue_open_mail(
	struct queue *q, enum queue_name n, struct sv id, int flags, int *fd, struct err *e);
/* 1 moved; 0 absent; -1 (also: the target exists, nothing is ever overwritten). */
MUST_USE int queue_move(
	struct queue *q, enum queue_name from, enum queue_name to, struct sv id, struct err *e);
/* 1 removed; 0 was not there; -1. */
MUST_USE int queue_remove(struct queue *q, enum queue_name n, struct sv id, struct err *e);
/* Which of incoming active deferred hold corrupt maildrop holds ID. 1, 0, -1. */
MUST_USE int queue_find(struct queue *q, struct sv id, enum queue_name *out, struct err *e);
/* The directory that holds ID in N, opened BEFORE an entry is made or moved there that queue_sync_dir() shall
 * make durable: a descriptor that is opened later is not told of an error in between. The caller's fd; -1. */
MUST_USE int queue_open_dir(struct queue *q, enum queue_name n, struct sv id, struct err *e);
/* fsync and close FD of queue_open_dir(). 0; -1: take the entry back, another fsync would prove nothing. */
MUST_USE int queue_sync_dir(int fd, enum queue_name n, struct sv id, struct err *e);

/*
 * Walk a queue: one directory open at a time, no list in memory, any order. Mails that come or go
 * meanwhile may be seen or not. Names that are no ids are skipped; .odd counts them, and .odd_name, when the
 * caller sets it, is given each of them. Names that start with a dot are nobody's.
 */
struct queue_scan {
	struct queue *q;
	DIR *dir;
	enum queue_name name;
	unsigned next_hash;
	unsigned odd;
	void (*odd_name)(void *ctx, const char *name);
	void *odd_ctx;
};

void queue_scan_start(struct queue_scan *s, struct queue *q, enum queue_name n);
/* 1 the next id; 0 no more; -1 a directory could not be read (the next call goes on with the next one). */
MUST_USE int queue_scan_next(struct queue_scan *s, char id[QUEUE_ID_MAX + 1], struct err *e);
void queue_scan_end(struct queue_scan *s);

#endif
