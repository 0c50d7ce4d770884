#include "lib/server/rights.h"

#include <errno.h>
#include <pwd.h>

static const struct rights table[] = {
	{ .program = "smtpd", .account = RIGHTS_NET, .jailed = true },
	{ .program = "login", .account = RIGHTS_NET, .jailed = true },
	{ .program = "dnsd", .account = RIGHTS_NET, .jailed = true },
	{ .program = "anvil", .account = RIGHTS_NET, .jailed = true },
	{ .program = "smtp", .account = RIGHTS_OUT, .jailed = true },
	{ .program = "lmtp", .account = RIGHTS_OUT, .jailed = true },
	{ .program = "pickup", .account = RIGHTS_MAIL },
	{ .program = "cleanup", .account = RIGHTS_MAIL },
	{ .program = "qmgr", .account = RIGHTS_MAIL },
	{ .program = "trivial-rewrite", .account = RIGHTS_MAIL },
	{ .program = "local", .account = RIGHTS_MAIL },
	{ .program = "virtual", .account = RIGHTS_MAIL },
	{ .program = "pipe", .account = RIGHTS_MAIL },
	{ .program = "error", .account = RIGHTS_MAIL },
	{ .program = "discard", .account = RIGHTS_MAIL },
	{ .program = "bounce", .account = RIGHTS_MAIL },
	{ .program = "showq", .account = RIGHTS_MAIL },
	{ .program = "postlogd", .account = RIGHTS_MAIL },
	{ .program = "proxymap", .account = RIGHTS_MAP, .opens_as_root = true },
	{ .program = "auth", .account = RIGHTS_AUTH },
	{ .program = "auth-worker", .account = RIGHTS_AUTH },
	{ .program = "auth-pam", .account = RIGHTS_ROOT, .opens_as_root = true, .set_id_below = true },
	{ .program = "maillock", .account = RIGHTS_ROOT, .opens_as_root = true, .keeps_caps = true },
	{ .program = "pop3d", .account = RIGHTS_USER, .opens_as_root = true },
	{ .program = "imapd", .account = RIGHTS_USER, .opens_as_root = true },
	{ .program = "postman", .account = RIGHTS_USER, .opens_as_root = true, .set_id_below = true },
};

const struct rights *rights_row(size_t i)
{
	return i < ARRAY_LEN(table) ? &table[i] : NULL;
}

const struct rights *rights_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].program, program) == 0)
			return &table[i];
	return NULL;
}

bool rights_dials(const struct rights *r)
{
	return r->account != RIGHTS_MAIL && r->account != RIGHTS_USER;
}

int rights_name(enum rights_account a, const char *mail_owner, char out[RIGHTS_NAME_MAX], struct err *e)
{
	static const char *const suffixes[RIGHTS_ACCOUNTS] = { [RIGHTS_MAIL] = "", [RIGHTS_NET] = "-net",
		[RIGHTS_OUT] = "-out", [RIGHTS_MAP] = "-map", [RIGHTS_AUTH] = "-auth", [RIGHTS_TLS] = "-tls" };
	int n = snprintf(out, RIGHTS_NAME_MAX, "%s%s", mail_owner, suffixes[a]);
	if (mail_owner[0] == '\0' || n < 0 || n >= RIGHTS_NAME_MAX)
		return err_set(e, ERR_CONFIG, "mail_owner = %s: not the name of an account", mail_owner);
	return 0;
}

int rights_find(enum rights_account a, const char *mail_owner, struct rights_ids *out, struct err *e)
{
	if (rights_name(a, mail_owner, out->name, e) < 0)
		return -1;
	errno = 0;
	const struct passwd *pw = getpwnam(out->name);
	if (!pw && errno != 0 && errno != ENOENT)
		return err_sys(e, errno, "look up the account %s", out->name);
	if (!pw)
		return 0;
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return err_set(e, ERR_CONFIG, "the account %s must be neither root nor in root's group", out->name);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return 1;
}

int rights_own(const char *mail_owner, struct rights_own *out, struct err *e)
{
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++) {
		int rc = rights_find((enum rights_account)i, mail_owner, &out->ids[i], e);
		if (rc == 0)
			return err_set(e, ERR_CONFIG, "there is no account %s: run `merpati init --system`",
				out->ids[i].name);
		if (rc < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (out->ids[k].uid == out->ids[i].uid)
				return err_set(e, ERR_CONFIG, "the accounts %s and %s have the same uid",
					out->ids[k].name, out->ids[i].name);
	}
	return 0;
}

const char *rights_refuse_uid(const struct rights_own *own, uid_t uid)
{
	if (uid == 0)
		return "root";
	if (uid == (uid_t)-1)
		return "nobody at all";
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++)
		if (own->ids[i].uid == uid)
			return own->ids[i].name;
	return NULL;
}

const char *rights_refuse_gid(const struct rights_own *own, gid_t gid)
{
	if (gid == (gid_t)-1)
		return "no group at all";
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++)
		if (own->ids[i].gid == gid)
			return own->ids[i].name;
	return NULL;
}
