/*
 * smtpd/smtpd_tls.h - TLS of the server: what is prepared before the jail closes, and STARTTLS.
 *
 * Ownership: struct smtpd_tls is a part of the process; the connection's struct tls belongs to its stream.
 * Errors:    a wrong word is an error of the configuration: start fails. Keys that cannot be used are one error
 *            line with the file's name; then STARTTLS is answered 454 4.7.0, a service that demands TLS takes no
 *            mail, and one in wrapper mode closes its connections. Never does mail go in clear instead.
 * Security:  keys and authorities are read while the process still has its first rights; behind the jail only
 *            tls_server_sni_maps is asked for, by way of proxymap. Whatever was said in clear is forgotten.
 * Standards: RFC 3207, 8314.
 */
#ifndef SMTPD_SMTPD_TLS_H
#define SMTPD_SMTPD_TLS_H

#include "lib/base/hash.h"
#include "lib/config/params.h"
#include "lib/map/maps.h"
#include "lib/tls/tls_conn.h"

struct server;
struct smtpd_process;
struct smtpd_session;
struct smtp_cmd;

#define SMTPD_SNI_CACHE 32

/* Keys that a value of tls_server_sni_maps held, by a hash of it. */
struct smtpd_sni_entry {
	uint64_t hash;
	struct tls_keys *keys; /* NULL: the place is empty */
};

struct smtpd_tls {
	struct params_tls params;
	enum tls_level level;         /* NONE, MAY, ENCRYPT */
	bool wrapper;                 /* TLS from the first octet */
	bool offered;                 /* STARTTLS is in the reply to EHLO */
	struct tls_ctx *ctx;          /* NULL: TLS cannot be used; the log said why */
	struct tls_tickets *tickets;
	struct maps *sni_maps;        /* tls_server_sni_maps */
	struct maps *clientcerts;     /* relay_clientcerts */
	struct smtpd_sni_entry sni[SMTPD_SNI_CACHE];
	size_t sni_next;              /* the place that is used next */
	struct hash_seed sni_seed;
};

/* smtpd_tls_init.c, before the jail. -1 with E (CONFIG): a wrong word. */
MUST_USE int smtpd_tls_init(struct smtpd_process *p, struct server *s, struct err *e);
/* Keys of tickets came from master. */
void smtpd_tls_new_tickets(struct server *s, struct sv keys);

/* smtpd_tls_sni.c: as struct tls_server_config wants it; ARG is struct smtpd_tls. */
tls_sni_fn smtpd_tls_keys_for;

/* smtpd_tls.c */
void smtpd_cmd_starttls(struct smtpd_session *s, const struct smtp_cmd *cmd);
/* The handshake, over what is connected now. False: the session is over. */
bool smtpd_tls_start(struct smtpd_session *s);
/* Must TLS come before any command but the few that RFC 3207 names? Replies then. */
bool smtpd_tls_first(struct smtpd_session *s);
/* The session has to end though TLS works (a certificate is missing, too many handshakes). Replies then. */
bool smtpd_tls_unwelcome(struct smtpd_session *s);
/* Is the client's certificate in relay_clientcerts? 1, 0, -1. */
MUST_USE int smtpd_tls_clientcert_listed(struct smtpd_session *s, struct err *e);

#endif
