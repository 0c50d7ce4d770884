/*
 * auth-pam/pam.h - may a user of the system sign in with this password?
 *
 * Layer:     daemon (as root; may take as long as PAM's modules do).
 * Errors:    1 yes; 0 no, E's text says why, for the log only; -1 could not be found out (E).
 * Security:  copies of the password are wiped. USER is the name of an account that exists: auth asks for
 *            no other, and for none that may not sign in anyway.
 */
#ifndef AUTH_PAM_PAM_H
#define AUTH_PAM_PAM_H

#include "lib/base/err.h"
#include "lib/server/server.h"

#define PAM_USER_MAX     256
#define PAM_PASSWORD_MAX 512

/* By the PAM service SERVICE (pam.c); only where it was built in. */
MUST_USE int pam_check(const char *service, const char *user, const char *password, const char *remote_addr,
	struct err *e);
bool pam_is_built_in(void);
/* By the shadow file, or what the name service has instead (shadow.c). TODAY: days since 1970. */
MUST_USE int shadow_check(const char *user, const char *password, long today, struct err *e);

struct spwd;
/* Why the account may not sign in, whatever the password is: NULL it may. */
const char *shadow_refusal(const struct spwd *sp, long today);

/* --- pam_serve.c --- */
int pam_pre_jail(struct server *s, struct err *e);
void pam_serve(struct server_conn *c);

#endif
