/*
 * lib/sys/log_line.h - make text fit for one log line.
 *
 * Layer:    sys (pure functions, apart from log.c so that postlogd and tests use the same rules).
 * Security: what comes out holds no control octet, no DEL, no C1 control, only valid UTF-8; no mark of
 *           direction, invisible character or line separator.
 */
#ifndef SYS_LOG_LINE_H
#define SYS_LOG_LINE_H

#include <time.h>

#include "lib/base/sv.h"

#define LOG_LINE_MAX 2000 /* octets of a line, its LF not counted */

/* Replace in place what must not reach a log reader's terminal by '?'; the length stays. */
void log_line_clean(char *p, size_t n);
/* The length of the longest prefix of P that is at most N octets and ends between characters. */
size_t log_line_cut(const char *p, size_t len, size_t n);
/*
 * Write "Mmm dd hh:mm:ss HOST TAG[PID]: TEXT\n" into OUT (at least LOG_LINE_MAX + 1 octets), cleaned
 * and cut. Returns the length with the LF.
 */
size_t log_line_make(char *out, struct timespec when, const char *host, const char *tag, pid_t pid,
	struct sv text);

#endif
