/*
 * lib/mail/header_rewrite.h - replace addresses in a whole header, field by field.
 *
 * Layer:     mail (pure; what becomes of an address says the caller's function).
 * Ownership: the arena passed to the function lives for one field.
 * Security:  hostile: costs are those of addr_list_parse(), a field is one unit of memory; what
 *            cannot be read, or would grow past the ceiling of a field, stays as it stands.
 * Standards: RFC 5322 3.4, 3.6.2, 3.6.3, 3.6.6.
 */
#ifndef MAIL_HEADER_REWRITE_H
#define MAIL_HEADER_REWRITE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

/* ADDR, in internal form, is replaced by another one (in A, or older): 1; it stays: 0; -1 with E. */
typedef int (*header_rewrite_fn)(void *ctx, struct sv *addr, struct arena *a, struct err *e);

/*
 * Append HEAD (fields with LF or CRLF line ends, without the empty line) to OUT, addresses in the fields of
 * senders and recipients passed through FN. At most MAX_TOKENS tokens of a field are looked at.
 *   0  done
 *  -1  FN failed, or OUT is full (E): OUT holds a part
 */
MUST_USE int header_rewrite(struct sv head, size_t max_tokens, header_rewrite_fn fn, void *ctx,
	struct buf *out, struct err *e);

#endif
