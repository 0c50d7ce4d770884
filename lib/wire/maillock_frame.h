/*
 * lib/wire/maillock_frame.h - the frames between maillock(8) and its callers: one size each way.
 *
 * Layer:     wire (pure: no allocation).
 * Errors:    1, or -1: not a frame; the connection is of no use any more.
 * Security:  hostile in both directions: whoever has an account may connect. A name is one component of a path: no
 *            '/', no '.' or '-' at its start, no control character; the rest of its field must be zero. Nothing else
 *            in a frame is a text.
 * Standards: internal.
 *
 *     request  "MLK1"  op  3 zero octets  name, filled up with zeros  6 numbers (little endian, 64 bit)
 *     answer   "MLK1"  status  3 zero octets  errno (32 bit)  4 zero octets
 */
#ifndef WIRE_MAILLOCK_FRAME_H
#define WIRE_MAILLOCK_FRAME_H

#include "lib/base/attr.h"
#include "lib/base/sv.h"

#define MAILLOCK_NAME_MAX    199
#define MAILLOCK_NUMBERS     6
#define MAILLOCK_REQUEST_LEN (8 + MAILLOCK_NAME_MAX + 1 + 8 * MAILLOCK_NUMBERS)
#define MAILLOCK_ANSWER_LEN  16

enum maillock_op {
	MAILLOCK_LOCK = 1, /* make NAME.lock */
	MAILLOCK_UNLOCK,   /* remove it */
	MAILLOCK_MAKE,     /* make NAME, when it is missing */
	MAILLOCK_NOTE,     /* write the numbers into NAME.append; under a lock, whichever */
	MAILLOCK_FORGET,   /* remove NAME.append; the same */
};

struct maillock_request {
	enum maillock_op op;
	char name[MAILLOCK_NAME_MAX + 1];
	uint64_t number[MAILLOCK_NUMBERS]; /* NOTE: see lib/store/spool.h; else zero */
};

enum maillock_status {
	MAILLOCK_DONE = 1,
	MAILLOCK_BUSY,    /* somebody else has the lock */
	MAILLOCK_REFUSED, /* not the caller's mailbox, or a file of a kind that none may be */
	MAILLOCK_TROUBLE, /* a system call failed: errno */
};

struct maillock_answer {
	enum maillock_status status;
	int sys_errno; /* of TROUBLE; else 0 */
};

bool maillock_name_ok(struct sv name);
/* 0, or -1: the name is none. */
MUST_USE int maillock_request_put(const struct maillock_request *r, unsigned char out[MAILLOCK_REQUEST_LEN]);
MUST_USE int maillock_request_get(const unsigned char in[MAILLOCK_REQUEST_LEN], struct maillock_request *out);
void maillock_answer_put(const struct maillock_answer *a, unsigned char out[MAILLOCK_ANSWER_LEN]);
MUST_USE int maillock_answer_get(const unsigned char in[MAILLOCK_ANSWER_LEN], struct maillock_answer *out);

#endif
