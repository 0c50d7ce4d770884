/*
 * imapd/imapd_mail.h - the content of one message: opened once a command, read as far as is needed.
 *
 * Layer:     daemon (reading and parsing happen in the look-up pool's threads).
 * Ownership: imapd_mail_init() .. imapd_mail_fini(); open and close as often as one likes between.
 * Security:  a message that shrinks or vanishes meanwhile is an error, never a crash.
 *
 * Whole sections and headers are read in blocks. Only what needs the part tree (structure, numbered
 * sections, text search) has the message in memory, for as long as it is worked on.
 */
#ifndef IMAPD_IMAPD_MAIL_H
#define IMAPD_IMAPD_MAIL_H

#include "imapd/imapd.h"
#include "lib/mail/mime.h"
#include "lib/wire/imap_body.h"
#include "lib/wire/imap_fetch.h"

struct imap_mail {
	bool open;
	size_t index;
	uint32_t uid;
	struct store_content content;
	char *text; /* the first LOADED octets */
	size_t loaded;
	size_t head_len; /* fields and the empty line; only when HAVE_HEAD */
	bool have_head;
	struct arena arena;     /* of the tree, and of what is made from it */
	struct mime_part *root; /* of the whole message, or NULL */
};

void imapd_mail_init(struct imap_mail *m);
void imapd_mail_fini(struct imap_mail *m);
/* 1; 0 the message is gone; -1 with E. */
MUST_USE int imapd_mail_open(
        struct imap_mail *m, struct imap_session *s, size_t index, struct err *e);
void imapd_mail_close(struct imap_mail *m);
/* Load the header; the whole message, parsed. 1, or -1 with E. */
MUST_USE int imapd_mail_need_head(struct imap_mail *m, struct err *e);
MUST_USE int imapd_mail_need_tree(struct imap_mail *m, struct err *e);
struct sv imapd_mail_head(const struct imap_mail *m);
struct sv imapd_mail_text(const struct imap_mail *m);
/* N octets at OFF, read in a thread. 1, or -1 with E. */
MUST_USE int imapd_mail_read(
        const struct imap_mail *m, char *p, size_t n, uint64_t off, struct err *e);

/* --- imapd_section.c ------------------------------------------------------------------------- */
/* What one BODY[section] is: octets of the file, or text that was put together. */
struct imap_piece {
	bool nil;
	bool composed;
	struct sv text;      /* composed: LF line ends, in the mail's arena */
	uint64_t start, end; /* else: range of the file */
	uint64_t size;       /* with CRLF */
};
/* 1, or -1 with E. */
MUST_USE int imapd_section_find(struct imap_session *s, struct imap_mail *m,
        const struct imap_fetch_item *item, struct imap_piece *out, struct err *e);
/* Append name and literal to the answer and send it. False: the session is over. */
bool imapd_section_send(struct imap_session *s, struct imap_mail *m,
        const struct imap_fetch_item *item, const struct imap_piece *piece);

#endif
