/*
 * lib/sys/nameless.h - a file without a name: it is gone when its last descriptor is closed.
 *
 * Layer:  sys (blocking system calls).
 * Errors: -1 with E.
 */
#ifndef SYS_NAMELESS_H
#define SYS_NAMELESS_H

#include "lib/base/err.h"

/* In directory DIR. A descriptor for reading and writing, or -1. */
MUST_USE int sys_nameless(const char *dir, struct err *e);

#endif
