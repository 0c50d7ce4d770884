/*
 * lib/wire/imap_search.h - SEARCH keys as a tree.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Errors:    1 done, -1 syntax (p->why).
 * Security:  nesting of (), NOT and OR is bounded by IMAP_SEARCH_DEPTH_MAX, keys by
 *            IMAP_SEARCH_KEYS_MAX; parsed with an explicit stack (ATTACKS M07).
 * Standards: RFC 9051 6.4.4, 9 (search-key); RFC 4731 (RETURN), 5182 (SAVE), 5032 (OLDER,
 *            YOUNGER), 7162 (MODSEQ), 8474 (EMAILID, THREADID), 8514 (SAVED*).
 *
 * Evaluate with a walk: depth is bounded, so a recursive evaluator is allowed to recurse to
 * IMAP_SEARCH_DEPTH_MAX.
 */
#ifndef WIRE_IMAP_SEARCH_H
#define WIRE_IMAP_SEARCH_H

#include "lib/wire/imap_seqset.h"

#define IMAP_SEARCH_DEPTH_MAX 32
#define IMAP_SEARCH_KEYS_MAX  1000

enum imap_search_kind {
	IMAP_S_AND,      /* children: all of them (also the root) */
	IMAP_S_OR,       /* two children */
	IMAP_S_NOT,      /* one child */
	IMAP_S_ALL,
	IMAP_S_FLAG,     /* .flag set (UNSEEN and friends are NOT of it) */
	IMAP_S_KEYWORD,  /* .text */
	IMAP_S_NEW,      /* RECENT and not \Seen */
	IMAP_S_OLD,      /* not RECENT */
	IMAP_S_RECENT,
	IMAP_S_SEQ,      /* .set: message numbers */
	IMAP_S_UID,      /* .set: UIDs */
	IMAP_S_HEADER,   /* .field and .text ("" : the field is there); FROM TO CC BCC SUBJECT too */
	IMAP_S_BODY,     /* .text */
	IMAP_S_TEXT,     /* .text, header and body */
	IMAP_S_BEFORE, IMAP_S_ON, IMAP_S_SINCE,             /* .day: internal date */
	IMAP_S_SENTBEFORE, IMAP_S_SENTON, IMAP_S_SENTSINCE, /* .day: Date field */
	IMAP_S_SAVEDBEFORE, IMAP_S_SAVEDON, IMAP_S_SAVEDSINCE,
	IMAP_S_LARGER, IMAP_S_SMALLER,                      /* .number */
	IMAP_S_OLDER, IMAP_S_YOUNGER,                       /* .number: seconds */
	IMAP_S_MODSEQ,   /* .number */
	IMAP_S_EMAILID, IMAP_S_THREADID,                    /* .text */
};

struct imap_search_key {
	enum imap_search_kind kind;
	struct imap_search_key *child, *next;
	unsigned flag; /* enum imap_flag */
	struct sv field, text;
	int64_t day;
	uint64_t number;
	struct imap_seqset set; /* not resolved */
};

enum imap_search_return {
	IMAP_RETURN_MIN = 1 << 0,
	IMAP_RETURN_MAX = 1 << 1,
	IMAP_RETURN_ALL = 1 << 2,
	IMAP_RETURN_COUNT = 1 << 3,
	IMAP_RETURN_SAVE = 1 << 4,
};

struct imap_search {
	bool has_return; /* answer with ESEARCH */
	unsigned ret;    /* RETURN () means ALL */
	struct sv charset; /* "" when not given; the caller refuses what it does not know */
	struct imap_search_key *root; /* IMAP_S_AND */
	size_t keys;
	bool needs_body; /* BODY or TEXT is among them */
	bool needs_header;
};

/* What follows "SEARCH". */
MUST_USE int imap_search_parse(struct imap_parser *p, struct imap_search *out);

#endif
