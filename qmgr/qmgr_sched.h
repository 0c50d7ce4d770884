/*
 * qmgr/qmgr_sched.h - which delivery comes next: transports, destinations, fairness, concurrency.
 *
 * Layer:     qmgr (pure: no I/O, time is passed in).
 * Ownership: the scheduler owns transports and destinations; entries and jobs are the caller's.
 * Errors:    none; keys and counts are bounded by the caller's limits on mails and recipients.
 *
 * An entry is one delivery request to be: some recipients of one mail for one destination. A job is
 * one mail in one transport. Fairness is by virtual time (start-time fair queuing), on two levels:
 * an entry's time is the later of the transport's clock and the end of its job's last entry; it
 * orders the entries of a destination. A destination's time is the later of that of its first entry
 * and of the end of the last one it started; it orders destinations. The time of what starts
 * becomes the clock. So a mail with a thousand recipients and a destination with a thousand mails
 * get their share and no more, and a mail that comes later waits for neither.
 *
 * A destination is ready when it holds entries, fewer deliveries run than its window allows, and it
 * is neither dead nor paused. The window starts small, grows with a success and shrinks with a
 * failure of the destination as a whole (by one, or what the feedback says); when as many failures as
 * fill a window came with no success between
 * (default_destination_concurrency_failed_cohort_limit), the destination is dead for a while. After
 * that it is probed: one delivery at a time, whose failure makes it dead at once; a success makes it as
 * good as new. What failed last is remembered, also without entries: mails that come one after the other
 * do not begin with a full window each.
 *
 * With a rate delay one delivery runs at a time, and a pause follows it: of the destination, or of the
 * whole transport.
 */
#ifndef QMGR_SCHED_H
#define QMGR_SCHED_H

#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "qmgr/qmgr_feedback.h"
#include "qmgr/qmgr_heap.h"

#define SCHED_REASON_MAX 256

struct sched_limits {
	unsigned transport_limit;     /* deliveries of a transport at once */
	unsigned dest_limit;          /* of a destination; 0: no limit */
	unsigned rcpt_limit;          /* recipients of an entry; 0: no limit */
	unsigned initial;             /* first window */
	unsigned failed_cohort_limit; /* 0: never dead */
	int64_t dest_dead_ms;
	int64_t probe_ms;      /* how long after a failure a destination is remembered */
	int64_t dest_pause_ms; /* after each delivery; 0: none */
	int64_t transport_pause_ms;
	struct feedback up, down;
};

struct sched {
	struct htab transports;
	size_t queued; /* entries that wait */
	size_t running;
};

struct sched_transport {
	struct sched *sched;
	char *name;
	struct sched_limits limits;
	struct htab dests;
	struct heap ready;  /* destinations, by the time of their first entry */
	struct heap paused; /* destinations, by the end of their pause */
	int64_t paused_until; /* of the transport itself; 0: not paused */
	uint64_t clock;
	unsigned running;
	int64_t dead_until; /* mono ms; 0 alive */
	char reason[SCHED_REASON_MAX];
	bool pacing; /* the caller's: somebody will call sched_next() when the next pause ends */
};

struct sched_entry;

struct sched_dest {
	struct sched_transport *transport;
	char *key;
	char *nexthop;
	struct heap_node ready, pause;
	struct heap entries;
	struct sched_entry
	        *open;    /* the last entry that was added, while it waits: may take recipients */
	uint64_t service; /* virtual time up to which it has had its share */
	unsigned running;
	unsigned window;
	unsigned cohorts; /* failures so far, in parts of a window (COHORT_UNIT is a whole) */
	double success, failure; /* parts of a step of the window */
	int64_t dead_until;
	bool probing; /* was dead, and nothing has succeeded since */
	int64_t remembered_until; /* while it is probed or has failures behind it */
	char reason[SCHED_REASON_MAX];
};

struct sched_job {
	uint64_t finish;
};

struct sched_entry {
	struct heap_node node;
	struct sched_dest *dest;
	struct sched_job *job;
	size_t nrcpts;
	bool running;
};

enum sched_outcome {
	SCHED_GOOD,    /* the destination works (whatever became of the recipients) */
	SCHED_BAD,     /* the destination as a whole failed */
	SCHED_NEUTRAL, /* says nothing about it */
};

void sched_init(struct sched *s, struct hash_seed seed);
void sched_free(struct sched *s);

/* The transport NAME, made with LIMITS when new (*CREATED). */
struct sched_transport *sched_transport(struct sched *s, struct sv name, bool *created);
struct sched_dest *sched_dest(struct sched_transport *t, struct sv key, struct sv nexthop);

/* Queue an entry with .nrcpts set. Its time counts from now on. */
void sched_add(struct sched_entry *en, struct sched_dest *d, struct sched_job *job);
/* Take a waiting entry out. Its destination may be gone afterwards. */
void sched_remove(struct sched_entry *en);
/* The entry that T should deliver now, marked as running; NULL when nothing may start. */
struct sched_entry *sched_next(struct sched_transport *t, int64_t now);
/* When the next pause of T ends (mono ms), 0: there is none. Then sched_next() may have something. */
int64_t sched_pause_end(const struct sched_transport *t);
/* A running entry ended. True: its destination has just died of this and keeps REASON; en->dest
 * stands until it is revived. False: en->dest is NULL, for the destination may be gone. */
bool sched_done(struct sched_entry *en, enum sched_outcome outcome, struct sv reason, int64_t now);

/* Alive, or why not (NULL: alive). A time that has passed makes it alive again. */
const char *sched_dest_dead(struct sched_dest *d, int64_t now);
const char *sched_transport_dead(struct sched_transport *t, int64_t now);
void sched_transport_kill(struct sched_transport *t, int64_t until, struct sv reason);
/* Forget a destination that holds nothing and of which nothing need be known. */
void sched_dest_unused(struct sched_dest *d, int64_t now);
/* Forget deaths: all of them (flush), or those whose time has passed; and destinations that nobody has
 * probed for long. */
void sched_revive(struct sched *s, bool all, int64_t now);
/* Any waiting entry of D or of T, or NULL: to defer them one by one. */
struct sched_entry *sched_dest_first(struct sched_dest *d);
struct sched_entry *sched_transport_first(struct sched_transport *t);

#endif
