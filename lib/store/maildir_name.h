/*
 * lib/store/maildir_name.h - names of mail files: base, sizes, delivery key, flags.
 *
 * Layer:     store (pure).
 * Ownership: views point into the name.
 * Security:  names come from a directory that others write: anything may stand there. What is not
 *            understood is kept and shown as it is, or the file is not mail (names that start
 *            with a dot, or hold '/' or control octets).
 * Standards: Maildir ("unique:2,FLAGS"), Dovecot's ",S=size,W=vsize" and keyword letters a..z.
 *
 *     1732345678.K00112233445566778899aabbccddeeff.mx.example,S=812,W=836:2,FSa
 *     '------------------------- base ---------------------------------' 'info'
 */
#ifndef STORE_MAILDIR_NAME_H
#define STORE_MAILDIR_NAME_H

#include "lib/base/buf.h"
#include "lib/store/store_box.h"

#define MAILDIR_NAME_MAX 255
#define MAILDIR_HOST_MAX 64

struct maildir_name {
	struct sv base;     /* up to the ':' of the info part: what dovecot-uidlist holds */
	uint32_t flags;     /* enum store_flag */
	uint32_t keywords;  /* bit i: letter 'a' + i */
	uint64_t size;      /* S=, 0 when absent */
	uint64_t vsize;     /* W=, 0 when absent */
	struct sv key;      /* the 32 hex digits of K<key>, or empty */
};

/* 1 a mail file's name; 0 not one. */
int maildir_name_parse(struct sv name, struct maildir_name *out);

/* Append "BASE:2,<flags><keywords>", letters in ASCII order. INFO, when not empty, is the info part
 * that stood there: letters of it that have no meaning here are kept. 0, or -1 at the ceiling. */
int maildir_name_format(struct buf *out, struct sv base, uint32_t flags, uint32_t keywords, struct sv info);
/* The name in new/: the base alone when there are no flags, as a delivery writes it; else the same as
 * maildir_name_format(). Dovecot, too, keeps an info part that stands there. 0 or -1. */
int maildir_name_arrival(struct buf *out, struct sv base, uint32_t flags, uint32_t keywords);
/* What stands behind the base: ":2,FS", or empty. */
struct sv maildir_name_info(struct sv name);

/* A host name as it may stand in a base name: '/', ':', ',' and control octets replaced, bounded. */
void maildir_host_clean(struct sv host, char out[MAILDIR_HOST_MAX + 1]);

#endif
