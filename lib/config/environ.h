/*
 * lib/config/environ.h - import_environment, export_environment: "TZ LANG=C { NAME = a value }".
 *
 * Layer:     config (pure: the environment is asked by the caller's function).
 * Errors:    0, or -1 with E (CONFIG: a name that is none, a brace without its partner) or from PUT.
 * Security:  only what is listed passes.
 */
#ifndef CONFIG_ENVIRON_H
#define CONFIG_ENVIRON_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

/* The value of a variable, NULL when it is not set: getenv(3). */
typedef const char *environ_get_fn(const char *name);
typedef int environ_put_fn(void *arg, struct sv name, struct sv value);

/* PUT each variable of LIST: NAME=value as written, NAME when it is set. */
MUST_USE int environ_each(
        const char *list, environ_get_fn *get, environ_put_fn *put, void *arg, struct err *e);

/* getenv(3) of this process. */
const char *environ_own(const char *name);

#endif
