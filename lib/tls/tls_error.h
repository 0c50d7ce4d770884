/*
 * lib/tls/tls_error.h - OpenSSL's queue of errors as one text.
 *
 * Layer:     tls.
 * Errors:    none.
 *
 * The queue belongs to the thread, and all fibers share that: whoever calls OpenSSL clears it before, and
 * takes what is in it before it waits.
 */
#ifndef TLS_TLS_ERROR_H
#define TLS_TLS_ERROR_H

#include "lib/base/err.h"

void tls_error_clear(void);
/* "<text>: <first reason>: <next>..." from the queue, which is empty afterwards. Returns -1. */
int tls_error_take(struct err *e, enum err_class cls, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
