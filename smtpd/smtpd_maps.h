/*
 * smtpd/smtpd_maps.h - which recipients exist: the tables and directories of each address class.
 *
 * Security: look-ups go through proxymap, as this process opens no file. A failed look-up is never
 *           "unknown user": the caller answers 451.
 */
#ifndef SMTPD_SMTPD_MAPS_H
#define SMTPD_SMTPD_MAPS_H

#include "lib/base/err.h"
#include "lib/base/sv.h"

struct clnt_resolved;
struct ipc_pool;
struct maps;
struct maps_env;
struct params_core;

struct smtpd_maps {
	const char *delimiters;
	const char *double_bounce; /* double_bounce_sender */
	bool owner_request_special;
	struct maps *recipient_canonical, *canonical, *virtual_alias;
	struct maps *local_recipient; /* not empty: the directory of auth counts too */
	struct maps *relay_recipient, *virtual_mailbox;
};

/* ENV must outlive the maps. 0, or -1 with E. */
int smtpd_maps_init(struct smtpd_maps *m, const struct maps_env *env, const struct params_core *core,
	struct err *e);
void smtpd_maps_free(struct smtpd_maps *m);

#define SMTPD_MAPS_UNDELIVERABLE 2

/*
 * Is the resolved recipient known?
 *   1  yes, or its class has no list of recipients
 *   0  no; *TABLE names the list for people ("local recipient table")
 *  SMTPD_MAPS_UNDELIVERABLE  its transport is error: R->nexthop says why
 *  -1  could not be found out (E)
 */
MUST_USE int smtpd_maps_listed(const struct smtpd_maps *m, struct ipc_pool *auth,
	const struct clnt_resolved *r, const char **table, int64_t deadline, struct err *e);

#endif
