/*
 * smtp/smtpc_settings.h - the parameters of the client: smtp_x for smtp(8), lmtp_x for lmtp(8).
 *
 * Layer:     smtp.
 * Ownership: texts live as long as the configuration.
 * Errors:    -1 with class CONFIG: the process does not start.
 */
#ifndef SMTP_SMTPC_SETTINGS_H
#define SMTP_SMTPC_SETTINGS_H

#include "lib/config/params.h"
#include "smtp/smtpc_dest.h"
#include "smtp/smtpc_order.h"

/* Extensions that a server may offer; bits. The names that smtp_discard_ehlo_keywords takes are in
 * smtpc_ehlo.c. */
enum smtpc_feature {
	SMTPC_PIPELINING = 1 << 0,
	SMTPC_SIZE = 1 << 1,
	SMTPC_8BITMIME = 1 << 2,
	SMTPC_DSN = 1 << 3,
	SMTPC_SMTPUTF8 = 1 << 4,
	SMTPC_STARTTLS = 1 << 5,
	SMTPC_AUTH = 1 << 6,
	SMTPC_CHUNKING = 1 << 7,
	SMTPC_ENHANCED = 1 << 8,
	SMTPC_XFORWARD = 1 << 9,
	SMTPC_EHLO = 1 << 10, /* it answered EHLO, or LHLO */
};

/* Seconds that each part of a dialogue may take. */
struct smtpc_times {
	long connect, helo, mail, rcpt, data_init, data_xfer, data_done, rset, quit;
};

struct smtpc_settings {
	bool lmtp;
	/* where to */
	struct smtpc_ports ports;
	struct smtpc_order order; /* .random is the caller's */
	const char *fallback_relay;
	const char *generic_maps;
	bool use_mx;              /* disable_dns_lookups = no, smtp_host_lookup with dns */
	bool defer_without_address;
	bool ignore_mx_error;
	bool ipv4, ipv6;
	unsigned session_limit;
	/* from where */
	const char *bind_address, *bind_address6;
	char only4[SMTPC_IP_MAX], only6[SMTPC_IP_MAX]; /* where they are empty: of inet_interfaces, or empty */
	bool bind_enforce;
	/* greeting */
	const char *helo_name;
	bool always_ehlo, never_ehlo, skip_5xx;
	unsigned discard; /* enum smtpc_feature bits that are not used */
	/* transactions */
	bool quote, skip_quit, convert_8bit, whole_requests, assume_final;
	unsigned line_limit;
	unsigned min_rate;
	struct smtpc_times times;
	/* connections that are kept for the next mail */
	bool keep;               /* while there is much mail for a destination */
	const char *keep_always; /* for these */
	long keep_idle_s, keep_age_s;
	unsigned keep_count; /* mails; 0: any number */
};

/*
 * A host with one address of its own in inet_interfaces sends from that: the only address of FAMILY in LIST, which is
 * copied to OUT. False: there is none, several, loopback, or LIST says "all". Names are not looked up. Pure.
 */
bool smtpc_source_address(struct sv list, int family, char out[SMTPC_IP_MAX]);

MUST_USE int smtpc_settings_load(const struct config *cfg, bool lmtp, struct smtpc_settings *out,
	struct err *e);

#endif
