/*
 * smtp/smtpc_ehlo.h - what a server says about itself in its reply to EHLO.
 *
 * Layer:     smtp (pure).
 * Security:  hostile: words that are not known are skipped, a number that is none is no limit.
 * Standards: RFC 5321 4.1.1.1, RFC 1870 (SIZE).
 */
#ifndef SMTP_SMTPC_EHLO_H
#define SMTP_SMTPC_EHLO_H

#include "lib/base/sv.h"
#include "smtp/smtpc_settings.h"

struct smtpc_ehlo {
	unsigned features; /* enum smtpc_feature */
	uint64_t size;     /* SIZE; 0: no limit is known */
	struct sv domain;  /* the name that the server gives itself */
};

/* TEXT: lines of a reply as struct smtp_reply keeps them ("250-mx.example\n250 SIZE 100"). */
void smtpc_ehlo_parse(struct sv text, unsigned discard, struct smtpc_ehlo *out);
/* smtp_discard_ehlo_keywords: bits of the words in LIST. 1; 0 *unknown is one that no server says. */
int smtpc_ehlo_words(struct sv list, unsigned *bits, struct sv *unknown);

#endif
