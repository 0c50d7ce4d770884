/*
 * imapd/imapd_match.h - does a message match a SEARCH key?
 *
 * Layer:     daemon.
 * Errors:    three-valued on the way: a key that needs more of the message than was loaded is
 *            unknown. imapd_match() loads header and body only when the rest leaves it open.
 * Security:  evaluation recurses to IMAP_SEARCH_DEPTH_MAX; body text is decoded in windows.
 */
#ifndef IMAPD_IMAPD_MATCH_H
#define IMAPD_IMAPD_MATCH_H

#include "imapd/imapd_mail.h"
#include "lib/wire/imap_search.h"

/* Keys as they are compared: text folded, sets resolved. Changes the tree at ROOT. 1, or -1 with E.
 */
MUST_USE int imapd_match_prepare(
        struct imap_session *s, struct imap_search_key *root, struct err *e);

/* 1 it does; 0 not, or it is gone; -1 with E. */
MUST_USE int imapd_match(struct imap_session *s, struct imap_mail *m, size_t index,
        const struct imap_search_key *root, struct err *e);

/* --- imapd_text.c: is NEEDLE (folded) in a text of the message? --------------------------------
 */
bool imapd_text_in_field(struct sv head, struct sv field, struct sv needle);
bool imapd_text_in_head(struct sv head, struct sv needle);
/* Text parts, and headers of attached messages. */
bool imapd_text_in_body(struct sv message, const struct mime_part *root, struct sv needle);

#endif
