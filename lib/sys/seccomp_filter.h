/*
 * lib/sys/seccomp_filter.h - which system calls a process may still make; private to lib/sys.
 *
 * Layer:  sys.
 * Errors: 0 loaded, -1 with E (also when built without libseccomp).
 */
#ifndef SYS_SECCOMP_FILTER_H
#define SYS_SECCOMP_FILTER_H

#include "lib/base/err.h"

/* ALLOW: enum jail_class bits. For good, for this thread and those it starts. */
MUST_USE int seccomp_filter_load(unsigned allow, struct err *e);

#endif
