/*
 * smtpd/smtpd_access.h - smtpd_*_restrictions: parsed once, evaluated for each command.
 *
 * Ownership: lists live as long as the process; a verdict's text in the transaction's arena.
 * Errors:    a restriction that this version does not know is told at start with parameter, file and
 *            line, and answered 451 4.3.5 when its turn comes: never skipped.
 * Security:  start fails when neither smtpd_relay_restrictions nor smtpd_recipient_restrictions holds
 *            a restriction that stops relaying: an open relay cannot be configured by omission.
 */
#ifndef SMTPD_SMTPD_ACCESS_H
#define SMTPD_SMTPD_ACCESS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct params_smtpd;
struct smtpd_session;

/* X(KIND, "name in main.cf", stops relaying) */
#define SMTPD_RESTRICTIONS(X)                                                  \
	X(PERMIT, "permit", false)                                                \
	X(REJECT, "reject", true)                                                 \
	X(DEFER, "defer", true)                                                   \
	X(PERMIT_MYNETWORKS, "permit_mynetworks", false)                          \
	X(PERMIT_SASL, "permit_sasl_authenticated", false)                        \
	X(PERMIT_AUTH_DESTINATION, "permit_auth_destination", false)              \
	X(REJECT_UNAUTH_DESTINATION, "reject_unauth_destination", true)           \
	X(DEFER_UNAUTH_DESTINATION, "defer_unauth_destination", true)             \
	X(PERMIT_TLS_CLIENTCERTS, "permit_tls_clientcerts", false)                \
	X(PERMIT_TLS_ALL_CLIENTCERTS, "permit_tls_all_clientcerts", false)        \
	X(REJECT_PLAINTEXT_SESSION, "reject_plaintext_session", false)            \
	X(REJECT_UNLISTED_RECIPIENT, "reject_unlisted_recipient", false)          \
	X(REJECT_NON_FQDN_SENDER, "reject_non_fqdn_sender", false)                \
	X(REJECT_NON_FQDN_RECIPIENT, "reject_non_fqdn_recipient", false)          \
	X(REJECT_UNKNOWN_SENDER_DOMAIN, "reject_unknown_sender_domain", false)    \
	X(REJECT_UNKNOWN_RECIPIENT_DOMAIN, "reject_unknown_recipient_domain", false) \
	X(REJECT_INVALID_HELO, "reject_invalid_helo_hostname", false)             \
	X(REJECT_NON_FQDN_HELO, "reject_non_fqdn_helo_hostname", false)           \
	X(REJECT_UNAUTH_PIPELINING, "reject_unauth_pipelining", false)            \
	X(REJECT_UNKNOWN_CLIENT, "reject_unknown_client_hostname", false)

enum smtpd_restriction {
	SMTPD_UNSUPPORTED = 0,
#define X(k, n, stops) SMTPD_##k,
	SMTPD_RESTRICTIONS(X)
#undef X
};

struct smtpd_rule {
	enum smtpd_restriction kind;
	bool warn_only;   /* warn_if_reject stood before it */
	const char *name; /* as written */
};

struct smtpd_rules {
	const char *parameter;
	struct smtpd_rule *rule;
	size_t n;
};

enum smtpd_stage {
	SMTPD_STAGE_CLIENT,
	SMTPD_STAGE_HELO,
	SMTPD_STAGE_SENDER,
	SMTPD_STAGE_RELAY,
	SMTPD_STAGE_RECIPIENT,
	SMTPD_STAGE_DATA,
	SMTPD_STAGE_END_OF_DATA,
	SMTPD_STAGES
};

struct smtpd_access {
	struct smtpd_rules stage[SMTPD_STAGES];
};

/* DUNNO: no opinion. OK ends its list. REFUSE: reply with code, dsn, text. */
enum smtpd_action { SMTPD_DUNNO, SMTPD_OK, SMTPD_REFUSE };

struct smtpd_verdict {
	enum smtpd_action action;
	int code;
	const char *dsn;
	const char *text; /* "<a@b>: Relay access denied" */
	unsigned class;   /* enum notify_class */
};

/* Parse all lists. -1 with E (CONFIG) when relaying would be open. */
int smtpd_access_init(struct smtpd_access *a, const struct params_smtpd *p, struct err *e);
void smtpd_access_free(struct smtpd_access *a);
/* Restrictions of which this version knows nothing, one warning each; for the log at start. */
void smtpd_access_warn(const struct smtpd_access *a, const struct params_smtpd *p);

/* RECIPIENT is empty before RCPT. */
struct smtpd_verdict smtpd_access_check(struct smtpd_session *s, enum smtpd_stage stage,
	struct sv recipient);
/* Can there be mail for such an address at all (allow_min_user, empty parts)? */
struct smtpd_verdict smtpd_access_syntax(struct smtpd_session *s, struct sv recipient);
/* The check at the end of the recipient lists (smtpd_reject_unlisted_recipient). */
struct smtpd_verdict smtpd_access_unlisted(struct smtpd_session *s, struct sv recipient);
/* Parse one list; for the unit test. */
int smtpd_rules_parse(struct smtpd_rules *r, const char *parameter, const char *value);
void smtpd_rules_free(struct smtpd_rules *r);
/* Does any rule of R stop relaying? */
bool smtpd_rules_stop_relay(const struct smtpd_rules *r);

#endif
