/*
 * smtp/smtpc_dest.h - what a next hop means: a domain, a host, an address, a socket; and its port.
 *
 * Layer:     smtp (pure).
 * Ownership: views point into the text.
 * Errors:    class CONFIG: somebody wrote the next hop into main.cf or a table.
 * Standards: transport(5): "domain", "[host]", "host:port", "[1.2.3.4]:port", "[IPv6:::1]", "inet:...",
 *            "unix:/path" (lmtp); several of them with commas or blanks between are tried in turn.
 */
#ifndef SMTP_SMTPC_DEST_H
#define SMTP_SMTPC_DEST_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

enum smtpc_dest_kind {
	SMTPC_DEST_DOMAIN,  /* look for MX records */
	SMTPC_DEST_HOST,    /* [host]: addresses only */
	SMTPC_DEST_ADDRESS, /* [1.2.3.4] */
	SMTPC_DEST_UNIX,
};

struct smtpc_dest {
	enum smtpc_dest_kind kind;
	struct sv text; /* as it was written */
	struct sv name; /* without brackets; a path */
	unsigned port;
};

struct smtpc_ports {
	const char *names;   /* known_tcp_ports */
	const char *standard; /* smtp_tcp_port: a name or a number */
	bool lmtp;
};

/* Cut the next destination off *LIST. False at the end. */
bool smtpc_dest_take(struct sv *list, struct sv *one);
MUST_USE int smtpc_dest_parse(struct sv text, const struct smtpc_ports *ports, struct smtpc_dest *out,
	struct err *e);
/* A port's number: "25", or a name of KNOWN ("smtp=25, smtps=submissions=465"). 1, -1. */
MUST_USE int smtpc_dest_port(struct sv port, const char *known, unsigned *out);

#endif
