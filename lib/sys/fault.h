/*
 * lib/sys/fault.h - make the n-th system call of a service fail, to prove what happens then.
 *
 * Layer:  sys (process-wide state). Only in builds with MERPATI_FAULTS; a release build has none of it.
 * Errors: a plan that cannot be read ends the process with a line that says which part is wrong.
 *
 * The environment, read once:
 *   MERPATI_FAULT=service:call[:glob]:n:ACTION[,...]
 *       service  program name or "*"; call as in struct fault_site or "*"; glob is matched by fnmatch(3)
 *                against the path of the call (for descriptors: what /proc/self/fd says), or, written
 *                site=FILE:LINE, against the call site;
 *       n        which matching call of this process fails: 1, 2, ...; "3+" the third and all later;
 *       ACTION   KILL (before the call), STOP, SHORT (half of the octets), or an errno name.
 *   MERPATI_FAULT_ONCE=FILE    each plan fires once in all processes. FILE holds an octet 'x' for each plan;
 *                              whoever makes it '-' takes the shot.
 *   MERPATI_FAULT_REPORT=FILE  one line when a site is first reached in a process, one when a plan fires.
 */
#ifndef SYS_FAULT_H
#define SYS_FAULT_H

#ifdef MERPATI_FAULTS

#include "lib/sys/sys.h"

#define FAULT_NONE  0
#define FAULT_SHORT (-2)

/* Read the environment and open the report now: before a jail closes. Else the first call does it. */
void fault_init(void);

/*
 * A call at site S is about to happen, on PATH below DIR, or on FD when PATH is NULL.
 *   FAULT_NONE   go on
 *   FAULT_SHORT  transfer less than asked
 *   > 0          fail with this errno
 */
int fault_at(struct fault_site *s, int dir, const char *path, int fd);

/* One line "file:line call function" for each call site that is linked into this program. */
void fault_sites_dump(FILE *out);

/* The program was called with --fault-sites alone: they are on stdout now, and it should end. */
bool fault_sites_asked(int argc, char **argv);

#endif
#endif
