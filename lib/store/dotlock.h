/*
 * lib/store/dotlock.h - Dovecot's lock files: NAME.lock beside the file it guards.
 *
 * Layer:     store (blocking system calls: runs inside offload jobs).
 * Ownership: dotlock_take() .. dotlock_drop() inside one job.
 * Errors:    0, or -1 with E (ETIMEDOUT: somebody alive holds it).
 * Security:  created O_EXCL, never followed. A lock of a dead process on this host, or one that
 *            nobody touched for two minutes, is set aside and removed.
 * Standards: Dovecot: the file holds "pid:host".
 */
#ifndef STORE_DOTLOCK_H
#define STORE_DOTLOCK_H

#include <sys/types.h>
#include <time.h>

#include "lib/base/err.h"

#define DOTLOCK_STALE_S 120

struct dotlock {
	int dir;
	const char *path; /* of that directory, for messages: the caller's, as long as the lock is held */
	const char *name; /* the caller's, too: "dovecot-uidlist.lock" */
	int64_t stale_s, empty_s; /* age at which others' locks are dead; the same of an empty one */
	bool others; /* of a mailbox: also other software's, which may be empty or hold nothing but a pid */
	pid_t pid;   /* whose it is */
	dev_t dev;
	ino_t ino;
	struct timespec made; /* inode numbers come back soon: the time tells one lock from the next */
};

/* PATH names the directory in messages. */
MUST_USE int dotlock_take(struct dotlock *l, int dir, const char *path, const char *name, int64_t timeout_ms,
	struct err *e);
/* The same for a mailbox of other software, whose locks may be empty: stale when nobody touched it for STALE_S
 * seconds. NAME lives as long as the lock. */
MUST_USE int dotlock_take_after(struct dotlock *l, int dir, const char *path, const char *name, int64_t timeout_ms,
	int64_t stale_s, struct err *e);
/* The same, without waiting, for process PID of this host, which has asked for it. One that names it already is taken
 * for its own: it was made by an earlier process of ours. */
MUST_USE int dotlock_take_for(struct dotlock *l, pid_t pid, int dir, const char *path, const char *name,
	int64_t stale_s, struct err *e);
/* It is still needed: others count its age from now on. */
void dotlock_touch(struct dotlock *l);
/* Still ours? Another program may have broken it while we were stopped. */
bool dotlock_held(const struct dotlock *l);
void dotlock_drop(struct dotlock *l);

#endif
