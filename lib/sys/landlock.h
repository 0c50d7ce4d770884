/*
 * lib/sys/landlock.h - file access of this process limited to some directories; private to lib/sys.
 *
 * Layer:     sys (raw system calls: glibc has no wrappers).
 * Ownership: landlock_prepare() returns a descriptor that landlock_close_door() closes.
 * Errors:    -1 with E; 0 from landlock_prepare() when the kernel has no Landlock.
 */
#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H

#include "lib/sys/jail.h"

/* Make the rules: before a chroot hides the paths. 1 and *fd, 0 not supported by this kernel, -1. */
MUST_USE int landlock_prepare(const struct jail *j, int *fd, struct err *e);
/* Apply them to this process for good. 0 or -1. */
MUST_USE int landlock_close_door(int fd, struct err *e);

#endif
