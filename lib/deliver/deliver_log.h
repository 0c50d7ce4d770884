/*
 * lib/deliver/deliver_log.h - the log line of a delivery, as log readers for Postfix expect it.
 *
 * Layer:     deliver (pure).
 * Errors:    appends; a buffer at its ceiling cuts the line.
 *
 *     QID: to=<a@b>, orig_to=<c@b>, relay=local, delay=0.05, delays=0.02/0/0/0.03, dsn=2.0.0,
 *          status=sent (delivered to maildir)
 */
#ifndef DELIVER_DELIVER_LOG_H
#define DELIVER_DELIVER_LOG_H

#include "lib/base/buf.h"
#include "lib/deliver/deliver.h"

struct deliver_times {
	int64_t arrival_us;   /* the mail came */
	int64_t active_us;    /* qmgr took it */
	int64_t begin_us;     /* the agent began */
	int64_t connected_us; /* 0: no connection was needed */
	int64_t done_us;
};

/* Seconds with two significant digits, at most two after the point: "0", "0.03", "1.3", "12". */
void deliver_seconds(struct buf *out, int64_t us);
void deliver_log_line(struct buf *out, struct sv queue_id, const struct deliver_rcpt *r, const char *relay,
	const struct deliver_times *t);
const char *deliver_status_name(enum deliver_status s);

#endif
