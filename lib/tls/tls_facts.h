/*
 * lib/tls/tls_facts.h - what there is to say about a TLS connection: for logs, Received: and decisions.
 *
 * Layer:     tls.
 * Ownership: plain values, part of the connection.
 * Security:  names come from the peer's certificate: made printable, at most 255 octets; one with a NUL inside
 *            is no name at all.
 */
#ifndef TLS_TLS_FACTS_H
#define TLS_TLS_FACTS_H

#include "lib/base/buf.h"

enum tls_peer {
	TLS_PEER_ANONYMOUS, /* showed no certificate */
	TLS_PEER_UNTRUSTED, /* showed one that no authority of ours stands for */
	TLS_PEER_TRUSTED,   /* the chain leads to one of them */
	TLS_PEER_VERIFIED,  /* and it is who it should be (clients only) */
};

#define TLS_NAME_MAX        256
#define TLS_FINGERPRINT_MAX (3 * 64 + 1)

struct tls_facts {
	const char *protocol; /* "TLSv1.3"; OpenSSL's own texts */
	const char *cipher;
	int used_bits, cipher_bits;
	char exchange[64];         /* "X25519", "ECDHE (P-256)"; empty when resumed */
	char server_signature[64]; /* "RSA-PSS (2048 bits)" */
	char server_digest[24];
	char client_signature[64], client_digest[24];
	bool resumed;
	enum tls_peer peer;
	bool asked;                /* a client was asked for a certificate */
	const char *untrusted_why; /* OpenSSL's text */
	char subject[TLS_NAME_MAX], issuer[TLS_NAME_MAX]; /* common names */
	char matched[TLS_NAME_MAX];                       /* the name of the certificate that fitted */
	char cert_fingerprint[TLS_FINGERPRINT_MAX], key_fingerprint[TLS_FINGERPRINT_MAX]; /* "AB:CD:..." */
	char sni[TLS_NAME_MAX];
};

/* "Anonymous", "Untrusted", "Trusted", "Verified" */
const char *tls_peer_word(enum tls_peer p);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ..." */
void tls_facts_summary(const struct tls_facts *f, struct buf *out);
/* The comment lines of Received: (smtpd_tls_received_header), each begun with "\n\t". */
void tls_facts_received(const struct tls_facts *f, struct buf *out);

#endif
