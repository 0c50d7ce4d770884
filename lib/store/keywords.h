/*
 * lib/store/keywords.h - names of the keyword letters a..z: the file dovecot-keywords.
 *
 * Layer:     store (pure).
 * Security:  the user's file: at most 26 names, only octets that an IMAP flag may have; other lines
 *            are dropped. Letters in use without a name get "unknown-N", as Dovecot calls them.
 * Standards: Dovecot ("N name" lines); RFC 3501 flag-keyword = atom.
 */
#ifndef STORE_KEYWORDS_H
#define STORE_KEYWORDS_H

#include "lib/base/buf.h"
#include "lib/store/store_box.h"

#define KEYWORDS_FILE_MAX 8192

struct keywords {
	char name[STORE_KEYWORDS_MAX][STORE_KEYWORD_NAME_MAX + 1]; /* empty: letter not in use */
};

void keywords_parse(struct sv text, struct keywords *out);
int keywords_format(struct buf *out, const struct keywords *k);
/* Index of NAME (case ignored), or -1. */
int keywords_find(const struct keywords *k, struct sv name);
/* Index of NAME, put in if need be; -1 when all letters are taken or NAME is no keyword. */
int keywords_add(struct keywords *k, struct sv name);
bool keyword_name_valid(struct sv name);
/* Highest letter in use + 1. */
size_t keywords_count(const struct keywords *k);

#endif
