/*
 * lib/wire/imap_fetch.h - the items of FETCH.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Errors:    1 done, -1 syntax (p->why).
 * Security:  items, part numbers and header names are bounded; a partial's end never wraps
 *            (ATTACKS M06).
 * Standards: RFC 9051 6.4.5, 9 (fetch-att, section, partial); RFC 3501 (RFC822*, ALL FULL FAST);
 *            RFC 8474 (EMAILID, THREADID), RFC 8514 (SAVEDATE), RFC 7162 (MODSEQ).
 */
#ifndef WIRE_IMAP_FETCH_H
#define WIRE_IMAP_FETCH_H

#include "lib/wire/imap_parse.h"

#define IMAP_FETCH_ITEMS_MAX   100
#define IMAP_SECTION_DEPTH_MAX 100
#define IMAP_FIELDS_MAX        1000

enum imap_fetch_kind {
	IMAP_FETCH_FLAGS,
	IMAP_FETCH_INTERNALDATE,
	IMAP_FETCH_RFC822_SIZE,
	IMAP_FETCH_ENVELOPE,
	IMAP_FETCH_BODY,          /* structure without extension data */
	IMAP_FETCH_BODYSTRUCTURE,
	IMAP_FETCH_UID,
	IMAP_FETCH_MODSEQ,
	IMAP_FETCH_EMAILID,
	IMAP_FETCH_THREADID,
	IMAP_FETCH_SAVEDATE,
	IMAP_FETCH_SECTION,       /* BODY[...], BODY.PEEK[...] */
	IMAP_FETCH_RFC822,        /* as BODY[] under its own name; sets \Seen */
	IMAP_FETCH_RFC822_HEADER, /* as BODY.PEEK[HEADER] */
	IMAP_FETCH_RFC822_TEXT,   /* as BODY[TEXT]; sets \Seen */
};

enum imap_section_text {
	IMAP_TEXT_ALL,        /* BODY[], BODY[1.2] */
	IMAP_TEXT_HEADER,
	IMAP_TEXT_FIELDS,
	IMAP_TEXT_FIELDS_NOT,
	IMAP_TEXT_TEXT,
	IMAP_TEXT_MIME,
};

struct imap_section {
	uint32_t *part;  /* 1.2.3 */
	size_t nparts;
	enum imap_section_text text;
	struct sv *fields;
	size_t nfields;
	bool has_partial;
	uint64_t start;  /* <start.length> */
	uint64_t length; /* over 0 */
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	bool peek;                   /* does not set \Seen */
	struct imap_section section; /* SECTION; also filled in for the RFC822 kinds */
};

struct imap_fetch {
	struct imap_fetch_item *items;
	size_t count;
	bool sets_seen; /* at least one item sets \Seen */
};

/* "ALL", "FLAGS", "(FLAGS BODY.PEEK[])". */
MUST_USE int imap_fetch_items(struct imap_parser *p, struct imap_fetch *out);
/* Append the item's name as it stands in the response: "BODY[1.HEADER.FIELDS (TO)]<0>". */
int imap_fetch_name(struct buf *out, const struct imap_fetch_item *item);

#endif
