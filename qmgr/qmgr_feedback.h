/*
 * qmgr/qmgr_feedback.h - by how much a success or a failure changes the concurrency of a destination.
 *
 * Layer:     qmgr (pure).
 * Standards: internal; Postfix's SCHEDULER_README, postconf(5)
 *            default_destination_concurrency_positive_feedback and _negative_feedback.
 */
#ifndef QMGR_FEEDBACK_H
#define QMGR_FEEDBACK_H

#include "lib/base/sv.h"

enum feedback_kind {
	FEEDBACK_CONSTANT,
	FEEDBACK_CONCURRENCY, /* divided by the concurrency: one step for a window full of results */
	FEEDBACK_SQRT         /* divided by its square root */
};

struct feedback {
	enum feedback_kind kind;
	double base;
};

/* "0.5", "1/4", "1/concurrency", "1/sqrt_concurrency", blanks anywhere. 0, or -1: neither, or not in 0..1. */
int feedback_parse(struct sv text, struct feedback *out);
/* The step at a concurrency of WINDOW (1 or more). */
double feedback_step(const struct feedback *f, unsigned window);

#endif
