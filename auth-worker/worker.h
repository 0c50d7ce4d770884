/*
 * auth-worker/worker.h - verify one password against one hash.
 *
 * Layer:     daemon (verify is pure but slow; serve waits on its connection).
 * Security:  the password lives in the request's frame and in crypt's own storage; both are wiped.
 * Standards: crypt(3), crypt(5) of libxcrypt: yescrypt, sha512crypt and whatever else it reads.
 */
#ifndef AUTH_WORKER_WORKER_H
#define AUTH_WORKER_WORKER_H

#include "lib/server/server.h"

/* 1 same, 0 differs, -1 the hash cannot be used (E). Takes as long as the hash's cost says. */
MUST_USE int worker_verify(struct sv hash, struct sv password, struct err *e);
/* A weak historic scheme (DES, MD5 ...) is refused: 1 strong enough, 0 not. */
int worker_hash_is_strong(struct sv hash);

void worker_serve(struct server_conn *c);
/* SC may be NULL (tests). */
void worker_serve_fd(int fd, struct server_conn *sc);

#endif
