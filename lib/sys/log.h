/*
 * lib/sys/log.h - log lines for the admin.
 *
 * Layer:    sys (process-wide state: a process has one log).
 * Security: the finished line is neutralised here: control octets and invalid UTF-8 become '?',
 *           one line, at most 2,000 octets; callers pass untrusted text as it is. Never pass a password.
 * Errors:   logging never fails and never blocks longer than a full socket buffer allows.
 *
 * Lines are "Mmm dd hh:mm:ss HOST merpati/smtpd[123]: text", as log readers for Postfix expect.
 * A process logs to stderr until log_to_fd() is called: daemons get a datagram socket to postlogd.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "lib/base/sv.h"

/* TAG is "merpati/smtpd"; copied. */
void log_init(const char *tag);
void log_set_tag(const char *tag);
/* The part after the last '/' of the last tag that had one: "smtpd". */
const char *log_program(void);
/* Send lines to postlogd through FD (datagrams); the log owns FD from now on. -1 returns to stderr. */
void log_to_fd(int fd);
/* For commands: send lines to the postlogd of the instance whose queue directory this is. 0, or -1 when
 * nobody listens there: lines go to stderr. */
int log_connect(const char *queue_directory);
/* Send a line as if PROGRAM with TAG had logged it (postlog(1)). 0; -1: nobody took it. */
int log_line_as(const char *tag, const char *prefix, struct sv text);
/* An event loop runs: it calls log_flush(0) each turn, log calls never wait. */
void log_set_deferred(bool on);
/* Send lines that wait, for at most MS. False when some are left. */
bool log_flush(int ms);
/* 0: info and up (default); 1: log_debug too. */
void log_set_verbose(int level);
int log_verbose(void);

void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);  /* "warning: ..." */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "error: ..." */
/* "fatal: ..." and exit(code), sysexits.h. For start-up only, never for what a peer did. */
void log_fatal(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
/* "panic: ..." and abort(): a broken invariant of ours. */
void log_bug(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

#endif
