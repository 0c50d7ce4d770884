#include "auth-pam/pam.h"

#ifdef WITH_PAM

#include <security/pam_appl.h>

bool pam_is_built_in(void)
{
	return true;
}

/* What PAM's modules ask for: the password is the answer to a question whose answer is not shown. Anything
 * else has no answer, and ends the attempt. */
static int converse(int n, const struct pam_message **m, struct pam_response **out, void *password)
{
	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	struct pam_response *r = mem_array((size_t)n, sizeof(*r)); /* freed by PAM, which wipes it, too */
	for (int i = 0; i < n; i++) {
		if (m[i]->msg_style == PAM_PROMPT_ECHO_OFF) {
			r[i].resp = mem_strdup(password);
			continue;
		}
		if (m[i]->msg_style == PAM_ERROR_MSG || m[i]->msg_style == PAM_TEXT_INFO)
			continue;
		for (int k = 0; k < i; k++) {
			if (r[k].resp)
				explicit_bzero(r[k].resp, strlen(r[k].resp));
			free(r[k].resp);
		}
		free(r);
		return PAM_CONV_ERR;
	}
	*out = r;
	return PAM_SUCCESS;
}

/* auth delays refusals, for all kinds of users alike. */
static void no_delay(int retval, unsigned microseconds, void *data)
{
	(void)retval;
	(void)microseconds;
	(void)data;
}

/* What PAM said: 1, 0, -1. */
static int verdict(pam_handle_t *h, int rc, const char *step, struct err *e)
{
	switch (rc) {
	case PAM_SUCCESS: return 1;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
		err_set(e, ERR_PERM, "%s", pam_strerror(h, rc));
		return 0;
	default: return err_set(e, ERR_TEMP, "PAM: %s: %s", step, pam_strerror(h, rc));
	}
}

static int authenticate(pam_handle_t *h, const char *remote_addr, struct err *e)
{
	union {
		void (*fn)(int retval, unsigned microseconds, void *data);
		const void *item;
	} delay = { .fn = no_delay };
	int rc = pam_set_item(h, PAM_RHOST, remote_addr);
	if (rc == PAM_SUCCESS)
		rc = pam_set_item(h, PAM_FAIL_DELAY, delay.item);
	if (rc != PAM_SUCCESS)
		return err_set(e, ERR_TEMP, "PAM: %s", pam_strerror(h, rc));
	rc = verdict(h, pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK), "authenticate", e);
	/* expired, or not at this time of the day: only who knows the password learns it */
	return rc == 1 ? verdict(h, pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK), "account", e) : rc;
}

int pam_check(const char *service, const char *user, const char *password, const char *remote_addr, struct err *e)
{
	union {
		const char *given;
		void *data;
	} secret = { .given = password };
	const struct pam_conv conv = { converse, secret.data };
	pam_handle_t *h = NULL;
	int rc = pam_start(service, user, &conv, &h);
	if (rc != PAM_SUCCESS)
		return err_set(e, ERR_TEMP, "PAM: start of service %s: error %d", service, rc);
	int may = authenticate(h, remote_addr, e);
	(void)pam_end(h, may == 1 ? PAM_SUCCESS : PAM_AUTH_ERR);
	return may;
}

#else

bool pam_is_built_in(void)
{
	return false;
}

int pam_check(UNUSED const char *service, UNUSED const char *user, UNUSED const char *password,
	UNUSED const char *remote_addr, struct err *e)
{
	return err_set(e, ERR_CONFIG, "built without PAM");
}

#endif
