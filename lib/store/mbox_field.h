/*
 * lib/store/mbox_field.h - header fields in which an mbox keeps what is known of its mails.
 *
 * Layer:     store (pure).
 * Security:  anybody may have put such fields into a mail: values are parsed with limits; whether they are believed
 *            is decided where the whole mailbox is known (mbox_uids.h).
 * Standards: as c-client, Dovecot and mutt write them: Status (R seen, O not recent), X-Status (A F T D), X-Keywords,
 *            X-UID, X-IMAPbase ("UIDVALIDITY LASTUID keyword ...") in the first mail, or X-IMAP in c-client's
 *            internal first mail, which is no mail.
 */
#ifndef STORE_MBOX_FIELD_H
#define STORE_MBOX_FIELD_H

#include "lib/base/buf.h"
#include "lib/store/keywords.h"

enum mbox_field {
	MBOX_F_OTHER = 0,
	MBOX_F_STATUS,
	MBOX_F_X_STATUS,
	MBOX_F_X_KEYWORDS,
	MBOX_F_X_UID,
	MBOX_F_X_IMAPBASE,
	MBOX_F_X_IMAP,
	MBOX_F_KEY,            /* X-Merpati-Key: of a delivery; stays with the mail, is not shown */
	MBOX_F_CONTENT_LENGTH, /* and Lines: mutt writes them when it likes; stay, are not shown */
	MBOX_F_LINES,
	MBOX_F_KEPT,           /* X-Merpati-Kept: put before a first line that begins with a blank */
	MBOX_FIELDS
};

/* Which field has this name (as it stands before the colon)? */
enum mbox_field mbox_field_of(struct sv name);
const char *mbox_field_name(enum mbox_field f);
/* Ours to write: a rewrite of the mail puts new ones in their place. */
bool mbox_field_is_meta(enum mbox_field f);

struct mbox_meta {
	uint32_t uid;      /* 0: none */
	uint32_t flags;    /* enum store_flag */
	uint32_t keywords; /* bits of a struct keywords */
	bool old;          /* a session was told of it: not \Recent */
};

struct mbox_base {
	uint32_t uidvalidity; /* 0: none */
	uint32_t last;        /* highest UID given */
};

/* Add what VALUE says to M; new keywords come into KW as long as there is room. */
void mbox_meta_field(struct mbox_meta *m, enum mbox_field f, struct sv value, struct keywords *kw);
/* 1; 0 it is not well formed: *B as it was. Keywords go into KW. */
int mbox_base_field(struct mbox_base *b, struct sv value, struct keywords *kw);

/* The value of one field, without padding. 0 or -1 (ceiling). */
int mbox_meta_value(struct buf *out, enum mbox_field f, const struct mbox_meta *m, const struct keywords *kw);
int mbox_base_value(struct buf *out, const struct mbox_base *b, const struct keywords *kw);
/* All fields of a mail as lines, padded so that other flags fit in. BASE (may be NULL) as field F. */
int mbox_meta_block(struct buf *out, const struct mbox_meta *m, const struct keywords *kw,
	const struct mbox_base *base, enum mbox_field f);

#endif
