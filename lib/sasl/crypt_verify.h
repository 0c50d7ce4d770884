/*
 * lib/sasl/crypt_verify.h - verify one password against one hash.
 *
 * Layer:     sasl (pure, but slow).
 * Errors:    -1 with E: the hash cannot be used.
 * Security:  the password's copies, crypt's own storage among them, are wiped; a weak historic scheme
 *            (DES, MD5 ...) is refused; the comparison takes the same time wherever the difference is.
 * Standards: crypt(3), crypt(5) of libxcrypt: yescrypt, sha512crypt and whatever else it reads.
 */
#ifndef SASL_CRYPT_VERIFY_H
#define SASL_CRYPT_VERIFY_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

/* 1 same, 0 differs, -1 the hash cannot be used (E). Takes as long as the hash's cost says. */
MUST_USE int crypt_verify(struct sv hash, struct sv password, struct err *e);
/* Of a scheme that is strong enough. */
bool crypt_hash_is_strong(struct sv hash);

#endif
