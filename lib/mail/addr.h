/*
 * lib/mail/addr.h - mail addresses: SMTP paths, quoting, domains, literals, extensions.
 *
 * Layer:     mail (pure; writes only into the caller's buffers).
 * Ownership: views point into the input or into the caller's buffer.
 * Errors:    1 done, 0 nothing there, -1 not acceptable (a reason for people in *why).
 * Security:  input comes from strangers: control octets are never part of an address, lengths
 *            are bounded (RFC 5321 4.5.3.1), quotes and backslashes must be complete.
 * Standards: RFC 5321 4.1.2, 4.1.3 (grammar, literals), RFC 5322 3.4.1, RFC 6531 3.3.
 *
 * Two forms of an address exist. The internal form is what maps, queue files and environment
 * variables hold: the local part without quotes or backslashes, split from the domain at the
 * LAST '@'. The external form is what goes into SMTP commands and header fields: the local part
 * quoted when it is not a dot-atom. addr_quote() and addr_unquote() turn one into the other.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "lib/base/buf.h"

#define ADDR_LOCAL_MAX  64  /* RFC 5321 4.5.3.1.1; enforced with ADDR_STRICT_LENGTH only */
#define ADDR_DOMAIN_MAX 255
#define ADDR_LABEL_MAX  63
#define ADDR_MAX        1024 /* whole address, octets; more is refused everywhere */

enum addr_flags {
	ADDR_LOOSE = 1 << 0,    /* as Postfix without strict_rfc821_envelopes: <> may be missing,
	                           "Full name <user@domain>", blanks around */
	ADDR_UTF8 = 1 << 1,     /* valid UTF-8 is allowed (SMTPUTF8) */
	ADDR_EMPTY_OK = 1 << 2, /* <> is allowed (MAIL FROM) */
	ADDR_STRICT_LENGTH = 1 << 3,
};

struct addr_path {
	struct sv internal; /* whole address, internal form, inside OUT; empty for <> */
	struct sv local;    /* its parts, inside OUT */
	struct sv domain;   /* empty when there is none */
	struct sv rest;     /* what follows the path in the input (ESMTP parameters), trimmed left */
	bool route;         /* a source route was there and has been dropped */
	bool eightbit;      /* an octet over 0x7f is there: needs SMTPUTF8 */
};

/*
 * Parse the path at the start of IN ("<user@domain> SIZE=1"). The address is appended to OUT.
 *   1  *path is filled in
 *  -1  not a path; *why names the fault; OUT unchanged
 */
MUST_USE int addr_path_parse(struct sv in, unsigned flags, struct buf *out, struct addr_path *path,
	const char **why);

/* Split an address in internal form at its last '@'. False when there is none (domain empty). */
bool addr_split(struct sv internal, struct sv *local, struct sv *domain);

/* Append the external form of an address in internal form. "" stays empty. 0, or -1 (ceiling). */
int addr_quote(struct buf *out, struct sv internal);
/* The same for a local part alone. */
int addr_quote_local(struct buf *out, struct sv local);
bool addr_local_needs_quote(struct sv local);
/* Append the internal form of an address in external form. 0, or -1 (ceiling). Bad quoting is
 * read as far as it makes sense, as in main.cf values and table results. */
int addr_unquote(struct buf *out, struct sv external);

/* A host name: letters, digits, '-', '_', dots; labels 1..63 not starting or ending in '-';
 * at most 255 octets; not all digits and dots; no dot at the end. */
bool addr_hostname_valid(struct sv name);
/* The same with U-labels: valid UTF-8 octets may stand where letters may. */
bool addr_hostname_valid_utf8(struct sv name);
/* The domain of an address: a host name (with ADDR_UTF8 in FLAGS also U-labels) or a literal. */
bool addr_domain_valid(struct sv domain, unsigned flags);
/* "[1.2.3.4]" or "[IPv6:...]": the address text inside, AF_INET or AF_INET6 in *family. */
bool addr_literal_ip(struct sv domain, struct sv *ip, int *family);
bool addr_ipv4_valid(struct sv ip);
bool addr_ipv6_valid(struct sv ip);

/* Append S with ASCII capitals turned small. 0, or -1 (ceiling). */
int addr_fold(struct buf *out, struct sv s);
/* Append INTERNAL with only its domain folded. */
int addr_fold_domain(struct buf *out, struct sv internal);
/* Equal: local parts octet by octet, domains without case. */
bool addr_eq(struct sv a, struct sv b);
/* Equal without case, as look-ups see them. */
bool addr_ieq(struct sv a, struct sv b);

/*
 * Split a local part at the first of DELIMITERS (recipient_delimiter) into user and extension.
 * MAILER-DAEMON, postmaster and "double-bounce" are never split, nor, with '-' among DELIMITERS
 * and OWNER_REQUEST_SPECIAL, owner-x and x-request.
 *   1  split; *delim is the octet at which
 *   0  no extension: *user is LOCAL, *ext empty
 */
int addr_split_ext(struct sv local, const char *delimiters, bool owner_request_special,
	struct sv *user, struct sv *ext, char *delim);

#endif
