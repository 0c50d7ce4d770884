/*
 * lib/tls/tls_sessions.h - sessions that a client may resume, in the memory of its process.
 *
 * Layer:     tls.
 * Ownership: tls_sessions_new() .. tls_sessions_free().
 * Limits:    the number given to tls_sessions_new(); the one that was stored first goes first.
 * Security:  found only by the key with which it was stored: destination and policy. Those of TLS 1.3 are used
 *            once (RFC 8446 C.4): the server gives a new one with each connection.
 */
#ifndef TLS_TLS_SESSIONS_H
#define TLS_TLS_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

struct tls_sessions;

/* LIFETIME: seconds; 0: nothing is kept. */
struct tls_sessions *tls_sessions_new(size_t max, long lifetime);
void tls_sessions_free(struct tls_sessions *s);
size_t tls_sessions_count(const struct tls_sessions *s);
/* Forget what was stored for KEY. */
void tls_sessions_forget(struct tls_sessions *s, const char *key);

#endif
