/*
 * lib/store/store_box.h - an opened mailbox: a numbered view that changes only when its owner asks.
 *
 * Layer:     store (event loop).
 * Ownership: store_box_open() .. store_box_close(); messages returned by store_box_msg() live until
 *            the next refresh of that box. A box belongs to one session and one fiber at a time.
 * Errors:    as in store.h. Messages that others removed stay in the view, marked .gone, until a
 *            refresh that may report expunges: sequence numbers never shift behind the caller's back.
 * Security:  a file that vanishes or changes under a reader is "gone" or an error, never a crash.
 * Standards: RFC 3501 2.3.1 (UIDs), 7.4.1 (when EXPUNGE may be sent), 2.3.2 (flags).
 *
 *     store_box_open(acct, store_inbox(), STORE_BOX_WRITE, &box, &e);
 *     for (size_t i = 0; i < store_box_count(box); i++)
 *             use(store_box_msg(box, i));                     // sequence number is i + 1
 *     store_events_init(&ev); store_box_refresh(box, true, &ev, &e);  // then report ev.v[0..n)
 */
#ifndef STORE_STORE_BOX_H
#define STORE_STORE_BOX_H

#include "lib/store/store.h"

enum store_flag {
	STORE_SEEN = 1,
	STORE_ANSWERED = 2,
	STORE_FLAGGED = 4,
	STORE_DELETED = 8,
	STORE_DRAFT = 16,
	STORE_PASSED = 32, /* Maildir's P: kept, not shown by IMAP */
};

#define STORE_KEYWORDS_MAX     26 /* a..z in the info part */
#define STORE_KEYWORD_NAME_MAX 100

struct store_box;

struct store_msg {
	uint32_t uid;
	uint32_t flags;       /* enum store_flag */
	uint32_t keywords;    /* bit i: store_box_keyword(box, i) */
	bool recent;          /* this session is the first to see it */
	bool gone;            /* removed by somebody; expunge not yet reported */
	int64_t internaldate; /* seconds since 1970; 0 = not known yet: store_box_dates() */
	uint64_t size;        /* octets of the file; 0 = not known yet */
	uint64_t vsize;       /* octets with CRLF line ends; 0 = not known yet: store_box_sizes() */
};

enum store_box_mode { STORE_BOX_READ, STORE_BOX_WRITE };

/* 1; 0 does not exist; -1. WRITE moves new mail to cur/ and takes \Recent; READ changes no mail. */
MUST_USE int store_box_open(struct store_account *a, struct store_mailbox_id id,
	enum store_box_mode mode, struct store_box **out, struct err *e);
void store_box_close(struct store_box *b); /* NULL allowed; waits for nothing */

size_t store_box_count(const struct store_box *b);
const struct store_msg *store_box_msg(const struct store_box *b, size_t index);
/* Index of the first message with a UID of at least UID; true when it is that UID. */
bool store_box_find(const struct store_box *b, uint32_t uid, size_t *index);
uint32_t store_box_uidvalidity(const struct store_box *b);
uint32_t store_box_uidnext(const struct store_box *b);
bool store_box_writable(const struct store_box *b);
struct store_account *store_box_account(const struct store_box *b);
struct sv store_box_name(const struct store_box *b);
/* 128-bit identity of the mailbox, 32 hex digits: survives renames. */
const char *store_box_guid(const struct store_box *b);
size_t store_box_keyword_count(const struct store_box *b);
/* Name of keyword I; empty when that letter is not in use. */
struct sv store_box_keyword(const struct store_box *b, size_t i);

/* --- changes -------------------------------------------------- */
enum store_event_kind {
	STORE_EV_EXPUNGE,  /* message .seq (1-based, at this point of the list) is gone; .uid names it */
	STORE_EV_EXISTS,   /* the mailbox now has .seq messages */
	STORE_EV_RECENT,   /* number of recent messages is .seq */
	STORE_EV_FLAGS,    /* flags or keywords of message .seq / .uid changed */
	STORE_EV_KEYWORDS, /* a keyword came into use: send FLAGS again */
	STORE_EV_LOST,     /* the mailbox was deleted or its UIDVALIDITY changed: end the session's view */
};

struct store_event {
	enum store_event_kind kind;
	uint32_t seq;
	uint32_t uid;
};

struct store_events {
	struct store_event *v; /* to be reported in this order */
	size_t n;
	size_t cap;
};

void store_events_init(struct store_events *ev);
void store_events_free(struct store_events *ev);

/* Look for changes and append them to EV. Without MAY_EXPUNGE vanished mail is only marked .gone.
 * 1 or -1 (the view is unchanged then). */
MUST_USE int store_box_refresh(
	struct store_box *b, bool may_expunge, struct store_events *ev, struct err *e);

/* Learn .size and .vsize of the N messages at INDEXES (NULL: of all). 1 or -1; .gone where lost. */
MUST_USE int store_box_sizes(struct store_box *b, const size_t *indexes, size_t n, struct err *e);
/* The same for .internaldate (and .size): cheaper, reads no mail. */
MUST_USE int store_box_dates(struct store_box *b, const size_t *indexes, size_t n, struct err *e);

/* --- content -------------------------------------------------- */
/*
 * The file of a message: read it with pread. Lines end in LF; a sender to the network puts CR before
 * each LF that has none before it: that gives exactly .vsize octets.
 */
struct store_content {
	int fd; /* the caller's, O_RDONLY; close it */
	uint64_t size;
	uint64_t vsize;
};

/* 1; 0 the message is gone; -1. */
MUST_USE int store_box_content(
	struct store_box *b, size_t index, struct store_content *out, struct err *e);

/* --- changing mail -------------------------------------------------- */
enum store_flag_op { STORE_FLAGS_ADD, STORE_FLAGS_REMOVE, STORE_FLAGS_SET };

struct store_flag_change {
	enum store_flag_op op;
	uint32_t flags;              /* enum store_flag */
	const struct sv *keywords;   /* names; unknown ones come into use (up to 26) */
	size_t nkeywords;
};

/*
 * Change the flags of the messages at INDEXES; the view shows them at once (report them as RFC 3501
 * 6.4.6 says; no event is made). SET keeps STORE_PASSED. 1 all; 0 some were gone; -1: PERM when
 * there is no letter left for a keyword or its name is not an atom.
 */
MUST_USE int store_box_flags(struct store_box *b, const size_t *indexes, size_t n,
	const struct store_flag_change *c, struct err *e);
/* Remove mail for good. The next refresh with MAY_EXPUNGE reports it. 1 or -1 (some may be gone). */
MUST_USE int store_box_expunge(struct store_box *b, const size_t *indexes, size_t n, struct err *e);

struct store_copied {
	uint32_t uidvalidity; /* of the target */
	uint32_t *from;       /* UIDs in the order of INDEXES, without those that were gone */
	uint32_t *to;
	size_t n;
};

/*
 * Copy (or move) the messages at INDEXES to mailbox TO of the same account with flags, keywords and
 * INTERNALDATE: all or, on an error, none. OUT's lists come from ARENA.
 * 1 done; 0 TO does not exist; -1.
 */
MUST_USE int store_box_copy(struct store_box *b, const size_t *indexes, size_t n,
	struct store_mailbox_id to, bool move, struct arena *arena, struct store_copied *out, struct err *e);

/* --- cached parts of messages (a cache: anything may be missing at any time) ------------------ */
enum store_cache_field {
	STORE_CACHE_ENVELOPE = 1,
	STORE_CACHE_BODYSTRUCTURE = 2,
	STORE_CACHE_BODY = 3,
	STORE_CACHE_HEADER = 4,
};

#define STORE_CACHE_VALUE_MAX (256 * 1024)

struct store_cache_item {
	size_t index; /* of the message */
	enum store_cache_field field;
	struct sv value; /* get: .p NULL when not cached, else in ARENA */
};

/* Fill in the values of N items in one step. 1 or -1; a broken cache is not an error, just empty. */
MUST_USE int store_cache_get(struct store_box *b, struct store_cache_item *items, size_t n,
	struct arena *arena, struct err *e);
/* Remember values (octets are the caller's format; it changes the field's number when that changes). */
void store_cache_put(struct store_box *b, const struct store_cache_item *items, size_t n);

#endif
