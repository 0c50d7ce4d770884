/*
 * imapd/imapd_charset.h - text of mail as SEARCH compares it: UTF-8, letters without case.
 *
 * Layer:     daemon (iconv(3) for charsets that lib/mail has no table of).
 * Security:  output is bounded by the buffers' ceilings; a charset's name is passed to iconv only
 * if it is short and plain.
 */
#ifndef IMAPD_IMAPD_CHARSET_H
#define IMAPD_IMAPD_CHARSET_H

#include "lib/mail/rfc2047.h"

/*
 * Load the converters for charsets that mail is written in, for as long as the process lives: behind the jail
 * iconv can load no more. In pre_jail.
 */
void imapd_charset_load(void);

/* For rfc2047_decode() and charset_to_utf8(). */
extern const struct charset_hook imapd_charset_hook;

/* Append UTF-8 S with letters of the Latin, Greek and Cyrillic scripts in lower case. 0 or -1. */
int imapd_fold(struct buf *out, struct sv s);

#endif
