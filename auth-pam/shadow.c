#include <errno.h>
#include <shadow.h>

#include "auth-pam/pam.h"
#include "lib/sasl/crypt_verify.h"

#define ENTRY_MAX (64u << 10)
/* No password is known for it: verified for an account that has none, which shall take as long. */
#define NO_HASH   "$y$j9T$merpatinopassword......$7BVRhpu0LlEEFnKSVWGfP0NWfbYSlhVpKpZ0hWSU4L0"

/* shadow(5): days since 1970; a negative or missing number is no limit. */
const char *shadow_refusal(const struct spwd *sp, long today)
{
	if (sp->sp_expire > 0 && today >= sp->sp_expire)
		return "the account has expired";
	if (sp->sp_lstchg == 0)
		return "the password must be changed first";
	if (sp->sp_lstchg > 0 && sp->sp_max >= 0 && sp->sp_max < 99999 && today > sp->sp_lstchg + sp->sp_max)
		return "the password has expired";
	if (sp->sp_pwdp[0] == '\0')
		return "the account has no password";
	if (sp->sp_pwdp[0] == '!' || sp->sp_pwdp[0] == '*')
		return "the account is locked";
	return NULL;
}

/* 1, 0, -1. As for accounts: a source that says nothing has failed. */
static int find(const char *user, struct spwd *sp, char **room, struct err *e)
{
	struct spwd *found = NULL;
	int rc = ERANGE;
	for (size_t size = 2048; rc == ERANGE && size <= ENTRY_MAX; size *= 2) {
		*room = mem_realloc(*room, size);
		errno = EIO;
		rc = getspnam_r(user, sp, *room, size, &found);
	}
	if (found)
		return 1;
	/* glibc says ENOENT for a name that is in no source */
	return rc == 0 || rc == ENOENT ? 0 : err_sys(e, rc, "shadow file: look up %s", user);
}

int shadow_check(const char *user, const char *password, long today, struct err *e)
{
	struct spwd sp;
	char *room = NULL;
	int rc = find(user, &sp, &room, e);
	if (rc == 0)
		err_set(e, ERR_PERM, "the account has no line in the shadow file");
	if (rc == 1) {
		const char *why = shadow_refusal(&sp, today);
		/* the hash is verified in any case: only who knows the password learns of the rest */
		bool has_hash = sp.sp_pwdp[0] && !strchr("!*", sp.sp_pwdp[0]);
		rc = crypt_verify(sv_z(has_hash ? sp.sp_pwdp : NO_HASH), sv_z(password), e);
		if (rc >= 0 && (!has_hash || (rc == 1 && why)))
			rc = (err_set(e, ERR_PERM, "%s", why), 0);
		else if (rc == 0)
			err_set(e, ERR_PERM, "password mismatch");
		explicit_bzero(sp.sp_pwdp, strlen(sp.sp_pwdp));
	}
	free(room);
	return rc;
}
