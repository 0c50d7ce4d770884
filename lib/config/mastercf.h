/*
 * lib/config/mastercf.h - master.cf: one struct a service, in the order of the file.
 *
 * Layer:     config.
 * Ownership: everything lives in struct mastercf's arena until mastercf_free().
 * Errors:    -1, class CONFIG: "FILE, line N: what is wrong".
 * Security:  the file is the admin's; lengths and counts are bounded.
 * Standards: master(5) of Postfix 3.7: eight fields, -o name=value, -o { name = value },
 *            { an argument with blanks }.
 */
#ifndef CONFIG_MASTERCF_H
#define CONFIG_MASTERCF_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum service_type {
	SERVICE_INET,
	SERVICE_UNIX,
	SERVICE_FIFO,
	SERVICE_UNIX_DGRAM,
	SERVICE_PASS
};

#define SERVICE_DEFAULT (-1) /* the field is "-" */

struct service_option {
	const char *name;  /* -o NAME=VALUE, as written but for outer braces and blanks */
	const char *value;
};

struct service {
	const char *name;       /* "smtp", "127.0.0.1:10025", "[::1]:25", "cleanup" */
	enum service_type type;
	bool is_private;        /* defaults applied: yes but for inet */
	bool unprivileged;      /* default yes */
	bool chroot;            /* default no (yes below compatibility level 1) */
	int wakeup;             /* seconds; 0: never */
	bool wakeup_if_used;    /* "N?": only once the service has been used */
	int maxproc;            /* 0: no limit; SERVICE_DEFAULT: default_process_limit */
	const char *command;    /* program, relative to daemon_directory */
	size_t argc;            /* arguments without -o options, command name excluded */
	const char **argv;      /* NULL-terminated; braces removed */
	size_t noptions;
	struct service_option *options;
	unsigned line;
	/* for postconf: name type private unpriv chroot wakeup maxproc as written, and every argument
	   with outer braces removed ("-o", "name=value", ...) */
	const char *field[7];
	size_t raw_argc;
	const char **raw_argv;
};

struct mastercf {
	struct arena arena;
	const char *file;
	size_t count;
	struct service *services;
};

/* Read DIR/master.cf. 0 or -1. */
MUST_USE int mastercf_open(const char *dir, struct mastercf *out, struct err *e);
MUST_USE int mastercf_parse(struct sv text, const char *file, struct mastercf *out,
			    struct err *e);
/* For tools that show or edit the file: what only makes a service unusable (one that stands there
   twice, -o without "=", a command with a path) is accepted. */
MUST_USE int mastercf_parse_loose(struct sv text, const char *file, struct mastercf *out,
				  struct err *e);
/* The text of a service as one line of master.cf, as postconf -M prints it. 0 or -1 (ceiling). */
MUST_USE int mastercf_format(const struct service *s, bool fold, struct buf *out);
void mastercf_free(struct mastercf *m);

const char *service_type_name(enum service_type t);
/* The service of that name and type, or NULL. */
const struct service *mastercf_find(const struct mastercf *m, const char *name,
				    enum service_type type);

#endif
