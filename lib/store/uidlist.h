/*
 * lib/store/uidlist.h - lines of dovecot-uidlist: the truth about UIDs, shared with Dovecot.
 *
 * Layer:     store (pure).
 * Ownership: views point into the line.
 * Errors:    1 parsed; 0 a header of a version that is not known; -1 not such a line.
 * Security:  the file belongs to the user: every number is checked, a name never holds a '/'.
 * Standards: Dovecot's dovecot-uidlist, version 3 (read and written) and 1 (read, as Courier writes it).
 *
 *     3 V1732345678 N42 G00112233445566778899aabbccddeeff
 *     17 W836 S812 :1732345678.M1P2.mx,S=812,W=836
 */
#ifndef STORE_UIDLIST_H
#define STORE_UIDLIST_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define UIDLIST_LINE_MAX  4096
#define UIDLIST_GUID_LEN  32
#define UIDLIST_EXTRA_MAX 256
#define UIDLIST_UID_MAX   UINT32_C(0xfffffffe)

struct uidlist_header {
	unsigned version;
	uint32_t uidvalidity;
	uint32_t nextuid;
	char guid[UIDLIST_GUID_LEN + 1]; /* empty when the line has none */
	char extra[UIDLIST_EXTRA_MAX];   /* fields of others, kept when the file is written anew */
};

struct uidlist_record {
	uint32_t uid;
	struct sv ext;  /* "W836 S812", as written; may be empty */
	struct sv base; /* file name without info part */
	uint64_t size;  /* S, 0 when absent */
	uint64_t vsize; /* W, 0 when absent */
};

MUST_USE int uidlist_header_parse(struct sv line, struct uidlist_header *out);
/* VERSION is that of the header. */
MUST_USE int uidlist_record_parse(struct sv line, unsigned version, struct uidlist_record *out);
/* Append a line with its LF. 0, or -1 at the ceiling. */
int uidlist_header_format(struct buf *out, const struct uidlist_header *h);
int uidlist_record_format(struct buf *out, uint32_t uid, struct sv ext, struct sv base);

#endif
