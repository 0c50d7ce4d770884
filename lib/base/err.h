/*
 * lib/base/err.h - why something failed: a class that decides what to do, a text for people.
 *
 * Layer:     base (pure).
 * Ownership: the caller owns struct err (usually on its stack); err_set() overwrites it.
 * Errors:    classes decide: TEMP defers mail (4xx), PERM refuses it (5xx), CONFIG defers and
 *            tells the admin, BUG is a broken promise between our own parts (defers too).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#include "lib/base/attr.h"

enum err_class { ERR_NONE = 0, ERR_TEMP, ERR_PERM, ERR_CONFIG, ERR_BUG };

#define ERR_TEXT_MAX 512

struct err {
	enum err_class cls;
	int sys_errno; /* errno of a failed system call, or 0 */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT { .cls = ERR_NONE }

/* Both return -1, so that a function can end with "return err_set(e, ...)". E may be NULL. */
int err_set(struct err *e, enum err_class cls, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "<formatted text>: <strerror(saved)>", class TEMP. */
int err_sys(struct err *e, int saved_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Put "prefix: " before the text that is there. Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
