/*
 * lib/store/mbox_scan.h - an mbox file cut into mails, and a mail into what a client sees and what it does not.
 *
 * Layer:     store (pure: octets come in blocks of any size; the result does not depend on how they are cut).
 * Errors:    0, -1 the octets do not begin with a From_ line, or what a callback returned below 0.
 * Security:  hostile. Content-Length is not believed: a mail could swallow the next one. Only complete lines begin a
 *            mail. At most MBOX_LINE_KEEP octets of a line are held.
 * Standards: RFC 4155. A valid From_ line begins a mail, whatever stands before it, as Dovecot and mutt read; a
 *            ">From " line is shown as it is stored (mboxo and mboxrd cannot be told apart).
 */
#ifndef STORE_MBOX_SCAN_H
#define STORE_MBOX_SCAN_H

#include "lib/store/mbox_field.h"

#define MBOX_LINE_KEEP  8192
#define MBOX_HEADER_MAX (1u << 20) /* octets of a header in which our fields are looked for */
#define MBOX_HASH_BLOCK 4096

struct mbox_found {
	uint64_t from;  /* offset of its From_ line */
	uint64_t head;  /* of the line behind */
	uint64_t next;  /* of the next mail, or the end of the file */
	uint64_t size;  /* octets that are shown */
	uint64_t vsize; /* the same with CRLF line ends */
	uint64_t hash;  /* of these octets */
	int64_t date;   /* of the From_ line */
	bool local;     /* which names no zone: .date is as if it were UTC */
	bool pseudo;    /* c-client's internal data: not a mail */
	bool plain;     /* each field of ours stands there at most once, on one line: can be changed in place */
};

enum mbox_piece {
	MBOX_P_FROM,  /* the From_ line */
	MBOX_P_SHOWN,
	MBOX_P_META,  /* fields of ours, with lines that continue them */
	MBOX_P_KEPT,  /* not shown, and not ours to change; the empty line between mails; a blank-led first line */
};

struct mbox_sink { /* any may be NULL */
	int (*mail_begin)(void *ctx);
	/* A field that is not shown. Its value begins at offset AT of the file; lines that continue it are not told. */
	int (*field)(void *ctx, enum mbox_field f, struct sv value, uint64_t at);
	int (*piece)(void *ctx, enum mbox_piece kind, struct sv octets);
	int (*mail)(void *ctx, const struct mbox_found *m); /* a mail has ended */
	void *ctx;
};

struct mbox_scan {
	struct mbox_sink sink;
	struct mbox_found m;
	bool begun, in_header, wrong;
	uint64_t at;         /* offset of the line in .line */
	uint64_t header_len; /* fields of ours not counted: a rewrite must not change what is shown */
	enum mbox_field field; /* last one of the header */
	unsigned seen;       /* bit f: field f was there */
	bool passing;        /* the rest of a line too long to hold */
	enum mbox_piece passing_kind;
	size_t len;          /* of .line */
	size_t blank;        /* octets of an empty line held back: it may be the one between mails */
	char blank_octets[2];
	char last;           /* shown octet before, for CRLF */
	size_t nblock;
	char line[MBOX_LINE_KEEP];
	char block[MBOX_HASH_BLOCK];
};

/* START: offset of the first octet that will come. */
void mbox_scan_init(struct mbox_scan *s, const struct mbox_sink *sink, uint64_t start);
MUST_USE int mbox_scan_put(struct mbox_scan *s, struct sv octets);
MUST_USE int mbox_scan_end(struct mbox_scan *s);

/* A mail with other fields of ours: its pieces go in, octets for a file come out. What is shown stays the same. */
struct mbox_rewrite {
	struct sv block; /* the new fields, as lines */
	int (*out)(void *ctx, struct sv octets);
	void *ctx;
	bool after_from;
};

/* For struct mbox_sink, CTX is a struct mbox_rewrite. */
int mbox_rewrite_piece(void *ctx, enum mbox_piece kind, struct sv octets);
/* The same for a mail that comes from outside: what would be taken for fields of ours is left out, and a
 * Content-Length, which is no longer true. */
int mbox_rewrite_content(void *ctx, enum mbox_piece kind, struct sv octets);

#endif
