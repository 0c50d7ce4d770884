/*
 * lib/config/config.h - one configuration directory: main.cf with its defaults and expansions.
 *
 * Layer:     config (reads files).
 * Ownership: config_open() .. config_free(). Every string that this layer returns (also those in
 *            the params_* structs) lives until config_free().
 * Errors:    -1 with class CONFIG and a text with file and line. Warnings (a name set twice, a
 *            directory of Postfix's own) are collected: config_warning(). A line of main.cf that
 *            cannot be read makes config_open() fail.
 * Security:  main.cf is trusted as its owner is, but has ceilings: octets, parameters, length of
 *            an expansion, depth of nesting.
 * Standards: the syntax of Postfix 3.7, postconf(5).
 *
 *     struct config *cfg = config_open(config_dir_default(), &e);
 *     struct params_core core;
 *     if (!cfg || params_core_load(cfg, &core, &e) < 0) ...
 *
 * Not for use by several threads at a time: look-ups intern strings.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/sv.h"

#define CONFIG_FILE_MAX   (8u << 20) /* octets of main.cf or master.cf */
#define CONFIG_VALUE_MAX  (1u << 20) /* octets of one expanded value */
#define CONFIG_NAME_MAX   512

struct config;

/*
 * The directory to use when the command line names none: $MAIL_CONFIG, else the built-in one. In
 * a process that runs with another user's or group's rights (AT_SECURE) MAIL_CONFIG counts only
 * when config_dir_allowed() says so.
 */
const char *config_dir_default(void);
/* The built-in directory, or one that its main.cf names in alternate_config_directories (or
   multi_instance_directories): what a set-gid program may be pointed at. */
bool config_dir_allowed(const char *dir);

/* Read DIR/main.cf. NULL and *e on failure. DIR NULL means config_dir_default(). */
MUST_USE struct config *config_open(const char *dir, struct err *e);
/* Defaults only, no file read (tests, postconf -d). */
MUST_USE struct config *config_open_empty(const char *dir);
/* The same from text (tests and fuzzers); FILE is used in messages. */
MUST_USE struct config *config_open_text(const char *dir, const char *file, struct sv text,
					 struct err *e);
void config_free(struct config *cfg);

const char *config_dir(const struct config *cfg);

/* Set NAME for this process only, as `-o name=value` does: stronger than main.cf. */
int config_override(struct config *cfg, const char *name, const char *value, struct err *e);
/* As config_override(), from one "name=value" or "name = value" argument. */
int config_override_arg(struct config *cfg, const char *arg, struct err *e);
/* The name of the service that this process is: $service_name, and messages. */
int config_service(struct config *cfg, const char *service_name, struct err *e);

/*
 * The value of NAME as written, unexpanded: override, main.cf, else the default.
 *   1  *out is set
 *   0  no such name in main.cf and in the table
 */
MUST_USE int config_get(const struct config *cfg, const char *name, struct sv *out);
/* Only what main.cf or an override says. 1, or 0 when NAME is not set there. */
MUST_USE int config_get_set(const struct config *cfg, const char *name, struct sv *out);

/*
 * The expanded value of NAME, appended to OUT.
 *   1  done
 *   0  no such name
 *  -1  syntax error in an expansion, or too long
 */
MUST_USE int config_eval(const struct config *cfg, const char *name, struct buf *out,
			 struct err *e);
/* The same, interned; NULL on error and for a name that does not exist (*e says which). */
const char *config_str(const struct config *cfg, const char *name, struct err *e);
/*
 * The same, but a value that begins with '/' stands for the first line of that file, without blanks at its ends,
 * as in Debian's `myorigin = /etc/mailname`. NULL also when the file cannot be read or the line is empty.
 * config_open() has read the files of main.cf: this works in a cage, too.
 */
const char *config_line_str(const struct config *cfg, const char *name, struct err *e);
/* The unexpanded value, interned; NULL for a name that does not exist. */
const char *config_raw_str(const struct config *cfg, const char *name);
/* Expand $names in TEXT. 0 or -1. */
MUST_USE int config_expand(const struct config *cfg, struct sv text, struct buf *out,
			   struct err *e);
/* An expanded, interned value parsed as the type; DEFAULT_UNIT one of s m h d w. 0 or -1. */
MUST_USE int config_bool(const struct config *cfg, const char *name, bool *out, struct err *e);
MUST_USE int config_int(const struct config *cfg, const char *name, int *out, struct err *e);
MUST_USE int config_time(const struct config *cfg, const char *name, char default_unit, long *out,
			 struct err *e);

/*
 * A per-transport parameter: TRANSPORT + SUFFIX ("_destination_concurrency_limit") when main.cf
 * or the table has that name, else the default of the suffix. The unit is seconds for times.
 *   0 or -1 (*e has the reason; also when SUFFIX is not in the table)
 */
MUST_USE int config_transport_int(const struct config *cfg, const char *transport,
				  const char *suffix, long *out, struct err *e);
/* The same for a text value (…_feedback); NULL on error. */
const char *config_transport_str(const struct config *cfg, const char *transport,
				 const char *suffix, struct err *e);

/* "/etc/merpati/main.cf, line 12", "-o option" or "built-in default": for messages about NAME. */
const char *config_where(const struct config *cfg, const char *name);
/* The line of main.cf that set NAME, or 0. */
unsigned config_line(const struct config *cfg, const char *name);

/* Warnings collected so far, oldest first; NULL past the last. Evaluation may add some. */
const char *config_warning(const struct config *cfg, size_t i);

/* postconf's view: foreign directories (paths.h) are shown, not replaced. */
void config_show_foreign(struct config *cfg, bool show);

/* Every name that main.cf sets, sorted. VALUE is as written. */
typedef void config_each_fn(void *arg, const char *name, struct sv value, unsigned line);
void config_each(const struct config *cfg, config_each_fn *fn, void *arg);

#endif
