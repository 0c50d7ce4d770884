/*
 * bounce/bounce_report.h - the text of a delivery status notification.
 *
 * Layer:     bounce (pure).
 * Ownership: appends to the caller's buffer; borrows all views.
 * Errors:    0 done, -1 the buffer's ceiling.
 * Security:  addresses, reasons and remote replies are strangers' text: each becomes one clean line
 *            or field, so that none can add a header, a field, a part or a boundary of its own. The
 *            boundary comes from the caller and is random.
 * Standards: RFC 3461 6 (what is reported), RFC 3464 (delivery-status), RFC 6522 (multipart/report),
 *            RFC 3834 (Auto-Submitted), RFC 6533 (SMTPUTF8), RFC 5321 4.5.5 (null sender: the caller).
 */
#ifndef BOUNCE_REPORT_H
#define BOUNCE_REPORT_H

#include "lib/base/buf.h"
#include "lib/config/bouncecf.h"

enum report_kind {
	REPORT_FAILURE, /* to the sender */
	REPORT_DELAY,
	REPORT_SUCCESS,
	REPORT_VERIFY,     /* of an attempt that the sender wanted to see */
	REPORT_POSTMASTER, /* copy of a failure for the postmaster, or a failure that has no sender
	                    */
	REPORT_POSTMASTER_DELAY, /* copy of a delay warning */
};

struct report_rcpt {
	struct sv recipient; /* internal form */
	struct sv original;  /* as first given, or empty */
	struct sv orcpt;     /* "rfc822;user@x" of the envelope, or empty */
	struct sv action;    /* failed delayed delivered relayed expanded */
	struct sv dsn;
	struct sv text;
	struct sv remote_mta;
	struct sv diagnostic;
	int64_t attempt_s; /* when that became known; 0: not said */
};

struct report {
	enum report_kind kind;
	const struct bouncecf_template *template; /* report_template(); its text expanded */
	struct sv to;     /* internal form */
	struct sv sender; /* of the mail that this is about */
	struct sv queue_id;
	struct sv envid;
	struct sv myhostname;
	struct sv myorigin;
	struct sv mail_name;
	struct sv boundary;
	int64_t now_s;
	int64_t arrival_s;
	int64_t retry_until_s; /* REPORT_DELAY */
	int tz_min;            /* of the dates */
	bool smtputf8;
	const struct report_rcpt *rcpts;
	size_t nrcpts;
	size_t nmore;       /* recipients that are not listed for want of room */
	struct sv original; /* the mail or its header, LF line ends */
	bool header_only;
	bool threaded;      /* name the mail as what this answers (enable_threaded_bounces) */
};

int report_make(const struct report *r, struct buf *out);
/* Which template serves the KIND. */
enum bouncecf_kind report_template(enum report_kind kind);

#endif
