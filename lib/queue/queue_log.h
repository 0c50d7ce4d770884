/*
 * lib/queue/queue_log.h - what a line of the mail log says of a mail: for tools that follow one.
 *
 * Layer:     queue (pure).
 * Ownership: views into the line.
 * Security:  a line may hold anything that a stranger sent, cleaned by log_line.h: nothing here is more than a
 *            hint for people.
 * Standards: internal; Postfix's lines. Stamps of syslog ("Nov 29 19:34:58 host tag[pid]: ") and of RFC 3339.
 */
#ifndef QUEUE_QUEUE_LOG_H
#define QUEUE_QUEUE_LOG_H

#include "lib/base/sv.h"

struct queue_log_line {
	struct sv stamp;   /* "Nov 29 19:34:58" */
	struct sv program; /* "smtpd" of "merpati/submission/smtpd[12]" */
	struct sv id;      /* the mail, "NOQUEUE", or empty */
	struct sv text;    /* behind "ID: ", or all of it */
};

/* LINE without its line end. False: it is not a line of a log. */
bool queue_log_parse(struct sv line, struct queue_log_line *out);

/* The value of NAME in "..., NAME=<value>, NAME2=value, ...", without its brackets. */
bool queue_log_value(struct sv text, const char *name, struct sv *out);

/* The mail that this one became, or that tells of it: "forwarded as ID", "queued as ID", "... notification: ID". */
bool queue_log_child(struct sv text, struct sv *id);

#endif
