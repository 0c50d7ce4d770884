/*
 * lib/tls/tls_ctx.h - what all TLS connections of a service (or of a client) have in common.
 *
 * Layer:     tls (system calls while it is made: files of authorities).
 * Ownership: counted: tls_ctx_hold() .. tls_ctx_free(); a connection holds its context, so that a new one
 *            can take the place of the old one at any time.
 * Errors:    NULL with E (CONFIG).
 * Security:  no compression, no renegotiation, no early data, TLS 1.2 and 1.3 only. Nothing is opened after
 *            the context was made: it works behind a jail.
 * Standards: RFC 8446, 5246; 6066 (server name), 7301 (ALPN), 5077 (tickets), 3207 (STARTTLS).
 */
#ifndef TLS_TLS_CTX_H
#define TLS_TLS_CTX_H

#include "lib/tls/tls_keys.h"
#include "lib/tls/tls_param.h"
#include "lib/tls/tls_ticket.h"
#include "lib/tls/tls_trust.h"

struct tls_ctx;

/* Both sides; texts are copied. */
struct tls_common {
	struct tls_keys *keys;        /* held; a client may have none */
	struct tls_protocols protocols;
	const char *ciphers;          /* OpenSSL list, for TLS 1.2 */
	const char *groups;           /* "X25519:prime256v1" */
	uint64_t options;             /* tls_options_parse() */
	struct tls_trust trust;
	int verify_depth;             /* certificates above the peer's own */
	const char *digest;           /* of fingerprints: "sha256" */
	int loglevel;                 /* 0 silent .. 2 every step */
};

/*
 * The keys for NAME (lower case, a valid host name), held for the caller.
 *   1 *out, 0 none: the service's own keys serve, -1 cannot be known now (E): the handshake fails
 * Called on the fiber that makes the handshake, and may wait.
 */
typedef int tls_sni_fn(void *arg, struct sv name, struct tls_keys **out, struct err *e);

struct tls_server_config {
	struct tls_common common;
	bool server_preference;       /* tls_preempt_cipherlist */
	const char *dh_file;          /* "", "auto", or a file with parameters */
	bool ask_certificate;         /* of the client; it may have none */
	const char *alpn;             /* the one protocol spoken here; "" accepts any offer silently */
	const char *service;          /* tickets of others are refused */
	long ticket_lifetime;         /* s; 0: no tickets */
	struct tls_tickets *tickets;  /* not held: outlives the context; NULL: none */
	tls_sni_fn *sni;              /* may be NULL */
	void *sni_arg;
};

MUST_USE struct tls_ctx *tls_ctx_server(const struct tls_server_config *c, struct err *e);
/* Connections add their own policy: see struct tls_client_policy. */
MUST_USE struct tls_ctx *tls_ctx_client(const struct tls_common *c, struct err *e);
struct tls_ctx *tls_ctx_hold(struct tls_ctx *c);
void tls_ctx_free(struct tls_ctx *c);

/*
 * A name that a client may ask for: a host name of at most 253 octets, no address, no dot at the end.
 * Copied in lower case into OUT. Pure. 1, or 0: such a name is as none.
 */
int tls_sni_name(struct sv asked, char out[256]);

#endif
