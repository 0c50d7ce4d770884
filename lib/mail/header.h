/*
 * lib/mail/header.h - header fields: names and what they mean, iterating, folding.
 *
 * Layer:     mail (pure).
 * Ownership: views point into the message.
 * Security:  a header ends at the first line that is neither a field nor a continuation, for every
 *            caller alike (cleanup, IMAP, filters must see the same split); field text that we
 *            write passes header_clean(), so that no value starts a new field.
 * Standards: RFC 5322 2.2 (fields, folding), 3.6; RFC 6532 (UTF-8 in values).
 *
 *     struct sv rest = message;
 *     struct header_field f;
 *     while (header_next(&rest, &f) == 1)
 *             ...
 *     // rest is the body
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "lib/base/buf.h"

enum header_class {
	HDRC_SENDER = 1 << 0,  /* holds sender addresses (canonical sender rewriting) */
	HDRC_RECIP = 1 << 1,   /* holds recipient addresses */
	HDRC_EXTRACT = 1 << 2, /* recipients for sendmail -t */
	HDRC_RESENT = 1 << 3,  /* belongs to a Resent- block */
	HDRC_DROP = 1 << 4,    /* removed on the way in */
	HDRC_MIME = 1 << 5,
};

/* X(id, name, classes): the only list of known fields. */
#define HEADER_FIELDS(X)                                                                     \
	X(APPARENTLY_TO, "Apparently-To", HDRC_RECIP) \
	X(BCC, "Bcc", HDRC_RECIP | HDRC_EXTRACT | HDRC_DROP) \
	X(CC, "Cc", HDRC_RECIP | HDRC_EXTRACT) \
	X(CONTENT_DESCRIPTION, "Content-Description", HDRC_MIME) \
	X(CONTENT_DISPOSITION, "Content-Disposition", HDRC_MIME) \
	X(CONTENT_ID, "Content-ID", HDRC_MIME) \
	X(CONTENT_LANGUAGE, "Content-Language", HDRC_MIME) \
	X(CONTENT_LENGTH, "Content-Length", HDRC_DROP) \
	X(CONTENT_LOCATION, "Content-Location", HDRC_MIME) \
	X(CONTENT_MD5, "Content-MD5", HDRC_MIME) \
	X(CONTENT_TRANSFER_ENCODING, "Content-Transfer-Encoding", HDRC_MIME) \
	X(CONTENT_TYPE, "Content-Type", HDRC_MIME) \
	X(DATE, "Date", 0) \
	X(DELIVERED_TO, "Delivered-To", 0) \
	X(DISPOSITION_NOTIFICATION_TO, "Disposition-Notification-To", HDRC_SENDER) \
	X(ERRORS_TO, "Errors-To", HDRC_SENDER) \
	X(FROM, "From", HDRC_SENDER) \
	X(IN_REPLY_TO, "In-Reply-To", 0) \
	X(MAIL_FOLLOWUP_TO, "Mail-Followup-To", HDRC_SENDER) \
	X(MESSAGE_ID, "Message-Id", 0) \
	X(MIME_VERSION, "MIME-Version", HDRC_MIME) \
	X(RECEIVED, "Received", 0) \
	X(REFERENCES, "References", 0) \
	X(REPLY_TO, "Reply-To", HDRC_SENDER) \
	X(RESENT_BCC, "Resent-Bcc", HDRC_RECIP | HDRC_EXTRACT | HDRC_DROP | HDRC_RESENT) \
	X(RESENT_CC, "Resent-Cc", HDRC_RECIP | HDRC_EXTRACT | HDRC_RESENT) \
	X(RESENT_DATE, "Resent-Date", HDRC_RESENT) \
	X(RESENT_FROM, "Resent-From", HDRC_SENDER | HDRC_RESENT) \
	X(RESENT_MESSAGE_ID, "Resent-Message-Id", HDRC_RESENT) \
	X(RESENT_REPLY_TO, "Resent-Reply-To", HDRC_RECIP | HDRC_RESENT) \
	X(RESENT_SENDER, "Resent-Sender", HDRC_SENDER | HDRC_RESENT) \
	X(RESENT_TO, "Resent-To", HDRC_RECIP | HDRC_EXTRACT | HDRC_RESENT) \
	X(RETURN_PATH, "Return-Path", HDRC_SENDER | HDRC_DROP) \
	X(RETURN_RECEIPT_TO, "Return-Receipt-To", HDRC_SENDER) \
	X(SENDER, "Sender", HDRC_SENDER) \
	X(SUBJECT, "Subject", 0) \
	X(TO, "To", HDRC_RECIP | HDRC_EXTRACT)

enum header_id {
	HDR_OTHER = 0,
#define X(id, name, classes) HDR_##id,
	HEADER_FIELDS(X)
#undef X
	HDR_ID_COUNT
};

struct header_field {
	enum header_id id;
	struct sv raw;  /* the whole field as it stands, with folds and its last line end */
	struct sv name; /* without blanks before ':' */
	struct sv body; /* after ':', folds inside, without the last line end; outer blanks kept */
};

enum header_id header_id_of(struct sv name);
const char *header_name(enum header_id id); /* canonical spelling; "" for HDR_OTHER */
unsigned header_classes(enum header_id id); /* enum header_class bits; 0 for HDR_OTHER */

/*
 * Does LINE (one line, line end optional) start a header field?
 *   1  *name and *body are views into it (body to the end of LINE, line end dropped)
 *   0  it does not
 * A name is printable ASCII without ':'; blanks before ':' are tolerated.
 */
int header_line(struct sv line, struct sv *name, struct sv *body);

/*
 * Cut the next field, with its continuation lines, off *REST.
 *   1  *f is filled in
 *   0  end: *REST is the body (the empty line, if that ended the header, is cut off)
 */
int header_next(struct sv *rest, struct header_field *f);

/* HEAD: all fields, without the empty line. BODY: what follows. False: no empty line ended it. */
bool header_split(struct sv message, struct sv *head, struct sv *body);

/* First field of that name in HEAD. 1 found, 0 not. */
int header_find(struct sv head, struct sv name, struct header_field *f);

/* Append BODY unfolded (line ends before blanks removed), outer blanks removed. */
int header_unfold(struct buf *out, struct sv body);

/* Append S with CR, LF, NUL and other control octets (not TAB) replaced by a blank. */
int header_clean(struct buf *out, struct sv s);

/* Append "NAME: VALUE\n", cleaned, folded at blanks so that lines stay within WIDTH where they
 * can (RFC 5322 2.1.1: 78). VALUE may hold no line ends of its own. */
int header_put(struct buf *out, struct sv name, struct sv value, size_t width);

#endif
