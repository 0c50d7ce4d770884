/*
 * lib/store/store_file.h - small files of the store, read and replaced as a whole.
 *
 * Layer:  store (blocking system calls: runs inside offload jobs).
 * Errors: 0 or -1 with E. PATH names the directory ROOT in messages.
 */
#ifndef STORE_STORE_FILE_H
#define STORE_STORE_FILE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Append the file REL; nothing when it is absent. OUT's ceiling is the file's. */
MUST_USE int store_file_read(int root, const char *path, const char *rel, struct buf *out, struct err *e);
/* By way of REL.tmp; durable. */
MUST_USE int store_file_replace(int root, const char *path, const char *rel, struct sv text, struct err *e);

#endif
