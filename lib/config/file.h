/*
 * lib/config/file.h - a whole small file into a buffer.
 *
 * Layer:  config (system calls).
 * Errors: 0; -1 with the path, the reason and class TEMP (system) or CONFIG (too large).
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Append the content of PATH, a regular file or /dev/null, to OUT. */
MUST_USE int file_read(const char *path, struct buf *out, struct err *e);

#endif
