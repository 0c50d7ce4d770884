/*
 * lib/mail/addr_list.h - addresses in header fields: find them, replace them, write the field back.
 *
 * Layer:     mail (pure; memory from the caller's arena).
 * Ownership: views point into the field or into the arena.
 * Errors:    a field is never refused as a whole: what cannot be read is left as it stands.
 * Security:  hostile: comments nest to ADDR_COMMENT_DEPTH at most, at most max_tokens tokens are
 *            looked at (header_address_token_limit), time is linear, nothing recurses.
 * Standards: RFC 5322 3.4 (address lists, groups), 4.4 (routes, missing phrases);
 *            encoded words (RFC 2047) are left as they are.
 *
 *     struct addr_list l;
 *     if (addr_list_parse(body, 10240, &arena, &l) < 0) ...arena exhausted...
 *     for (size_t i = 0; i < l.count; i++)
 *             if (l.items[i].kind == ADDR_ITEM_MAILBOX)
 *                     repl[i] = ...new external form, or SV_NULL to keep...;
 *     addr_list_write(&out, body, &l, repl);
 */
#ifndef MAIL_ADDR_LIST_H
#define MAIL_ADDR_LIST_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define ADDR_COMMENT_DEPTH 50

enum addr_item_kind {
	ADDR_ITEM_MAILBOX,
	ADDR_ITEM_GROUP_START, /* .name is the group's */
	ADDR_ITEM_GROUP_END,
};

struct addr_item {
	enum addr_item_kind kind;
	struct sv name;     /* phrase before <...> as written, trimmed; group name; or empty */
	struct sv comment;  /* last comment beside the address, without its parentheses, or empty */
	struct sv spec;     /* address (with its route) as written, in the field: what a rewriter
	                       replaces */
	struct sv route;    /* "@a,@b" before ':' inside <>, or empty */
	struct sv internal; /* local@domain or local, internal form (arena) */
	struct sv local, domain; /* its parts */
	size_t begin;       /* where its text starts in the field: phrase, '<' or address */
	bool angle;         /* stood in <> */
	bool missing_comma; /* no comma before it although one should be: the writer adds it */
};

struct addr_list {
	struct addr_item *items;
	size_t count;
	bool truncated; /* max_tokens reached: the tail of the field was not looked at */
	bool bad;       /* something could not be read as an address */
};

/*
 * Read the body of an address field (folded lines allowed; "Name:" not included).
 *   0  *out is filled in
 *  -1  the arena is exhausted
 */
MUST_USE int addr_list_parse(struct sv body, size_t max_tokens, struct arena *a,
	struct addr_list *out);

/*
 * Append BODY to OUT with the addr-spec of item i replaced by repl[i] (external form), or kept
 * when repl[i].p is NULL. Everything else is kept octet by octet; comments inside a replaced
 * addr-spec follow it. REPL may be NULL. 0, or -1 (ceiling).
 */
int addr_list_write(struct buf *out, struct sv body, const struct addr_list *l,
	const struct sv *repl);

/* Append the display name for people: the phrase unquoted with single blanks, else the comment. */
int addr_item_name(struct buf *out, const struct addr_item *item);

/* Append NAME as an RFC 5322 phrase (sendmail -F, gecos): as it is when it consists of atoms,
 * else quoted; control octets become blanks. */
int addr_phrase(struct buf *out, struct sv name);

#endif
