/*
 * smtp/smtpc_tls.h - TLS with servers: what is demanded of whom, STARTTLS, and what follows when it fails.
 *
 * Layer:     smtp.
 * Ownership: struct smtpc_tls is a part of the process; a policy's texts are in the arena of the mail.
 * Errors:    a wrong word in main.cf: the process does not start. A policy that is not understood, a table that
 *            does not answer, keys that cannot be used where TLS is demanded: the mail waits (4.7.5).
 * Security:  at level encrypt and above not an octet of a mail goes in clear, whatever the server says; at may a
 *            failed handshake is followed by clear text, as in Postfix only for a mail that has waited for
 *            minimal_backoff_time. What a server sends in clear behind its reply to STARTTLS ends the session.
 * Standards: RFC 3207, 8314, 6125.
 */
#ifndef SMTP_SMTPC_TLS_H
#define SMTP_SMTPC_TLS_H

#include "lib/config/params.h"
#include "lib/map/maps.h"
#include "lib/tls/tls_conn.h"
#include "lib/tls/tls_policy.h"
#include "lib/tls/tls_sessions.h"

struct smtpc;
struct smtpc_place;
struct smtpc_session;
struct smtpc_why;
struct server;

/* smtp_tls_x, or lmtp_tls_x. */
struct smtpc_tls_settings {
	const char *level_word, *policy_table;
	bool use, enforce, enforce_peername, wrapper, note_offer;
	struct tls_key_files keys;
	const char *ca_file, *ca_path;
	const char *ciphers, *mandatory_ciphers, *exclude, *mandatory_exclude;
	const char *protocols, *mandatory_protocols;
	const char *verify_match, *secure_match, *fingerprint_match, *digest;
	const char *server_name;
	int loglevel, verify_depth;
	long session_lifetime, timeout; /* s */
};

struct smtpc_tls {
	bool lmtp;
	struct maps_env maps_env;     /* how policies are reached */
	struct smtpc_tls_settings set;
	struct params_tls params;
	long backoff;                 /* minimal_backoff_time */
	enum tls_level level;         /* of destinations without a policy of their own */
	struct maps *policies;        /* smtp_tls_policy_maps */
	struct tls_ctx *ctx;          /* NULL: TLS is never used, or cannot be: .broken */
	struct err broken;
	struct tls_sessions *sessions;
};

/* What holds for one server of one destination. */
struct smtpc_policy {
	enum tls_level level;
	struct tls_client_policy tls;
	const char *key; /* tells policies apart: a session is only used for mail with the same one */
};

/* smtpc_tls_init.c, before the jail. */
MUST_USE int smtpc_tls_init(struct smtpc_tls *t, struct server *s, bool lmtp, const struct maps_env *env,
	struct err *e);

/* smtpc_tls_policy.c: set to->policy. 0; -1: it cannot be known (*WHY). */
MUST_USE int smtpc_tls_policy(struct smtpc_tls *t, struct smtpc_place *to, struct arena *a, struct smtpc_why *why);

/* smtpc_tls.c, by TO's policy. */
/* TLS before the greeting (smtp_tls_wrappermode)? 1 it runs, or is not wanted; -1 (*WHY). */
MUST_USE int smtpc_tls_wrap(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to,
	struct smtpc_why *why);
/*
 * After EHLO or HELO.
 *   1 TLS runs: say EHLO again; 0 the session goes on as it is; -1 it must not (*WHY)
 * After -1, s->clear_next tells that another session may try without TLS.
 */
MUST_USE int smtpc_tls_begin(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to,
	struct smtpc_why *why);
/* Has a mail that came at ARRIVAL_US waited long enough to go in clear after a handshake that failed? */
bool smtpc_tls_may_go_clear(const struct smtpc_tls *t, int64_t arrival_us);

#endif
