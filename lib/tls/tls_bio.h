/*
 * lib/tls/tls_bio.h - between OpenSSL and the socket: reads never wait, writes are collected.
 *
 * Layer:     tls (event loop).
 * Ownership: a struct tls_wire is a part of its connection; tls_wire_fini() closes the socket.
 * Errors:    as enum stream_error; errno of the socket in .err.
 * Security:  a call into OpenSSL may read .budget octets, then it has to come back: a peer that sends records
 *            without data (KeyUpdate, empty ones) does not keep the loop.
 *
 * What OpenSSL writes is collected and goes out by tls_wire_flush(), all records of one call in one system
 * call. The room for it is given back when all has gone.
 */
#ifndef TLS_TLS_BIO_H
#define TLS_TLS_BIO_H

#include <openssl/ssl.h>

#include "lib/base/buf.h"

struct tls_wire {
	int fd;
	int err;       /* errno of what failed last, 0 */
	bool eof;
	size_t budget; /* octets that the current call may still read */
	uint64_t total_in;
	struct buf out;
};

void tls_wire_init(struct tls_wire *w, int fd);
void tls_wire_fini(struct tls_wire *w);
/* All that was collected. 1, or an error (the connection is of no more use). */
int tls_wire_flush(struct tls_wire *w, int64_t deadline);
/* The same without waiting: for the last words. */
void tls_wire_try_flush(struct tls_wire *w);

BIO_METHOD *tls_bio_method(void);
/* A BIO over W; W must outlive it. */
BIO *tls_bio_new(BIO_METHOD *m, struct tls_wire *w);

#endif
