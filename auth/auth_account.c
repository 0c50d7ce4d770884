/* A user by name: the users file, then, in a system instance, the accounts of the system. */
#include "auth/auth.h"

#include "lib/fiber/fiber.h"

#define LOOK_UP_MS 30000
#define NAME_MAX_OCTETS 255

/* What the name service knows of NAME (empty: UID); it may take long, and is asked by a worker. 1, 0, -1. */
static int ask_worker(struct auth *a, struct sv name, uid_t uid, struct arena *arena, struct auth_account *out,
        struct err *e)
{
	struct msg_authworker_find q = { .name = name, .uid = uid };
	struct msg_authworker_found r;
	struct ipc_frame f;
	struct buf body;

	buf_init(&body, 4096);
	int rc = msg_authworker_find_encode(&q, &body) < 0
	                 ? err_set(e, ERR_TEMP, "the name is too long")
	                 : ipc_call(a->workers, MSG_authworker_PROTOCOL, MSG_authworker_VERSION,
	                           MSG_authworker_find, buf_sv(&body), arena, &f, fiber_deadline(LOOK_UP_MS), e);

	buf_free(&body);
	if (rc >= 0 && f.type != MSG_authworker_found)
		rc = err_set(e, ERR_BUG, "unexpected message type %u of a worker", f.type);
	else if (rc >= 0)
		rc = msg_authworker_found_decode(f.body, arena, &r, e);
	if (rc < 0)
		return -1;
	if (r.status > 1)
		return err_set(e, ERR_TEMP, "%.*s", SV_ARG(r.error));
	if (r.status == 0)
		return 0;
	if (sv_empty(r.home) || r.home.p[0] != '/')
		return err_set(e, ERR_CONFIG, "the account %.*s has no home directory", SV_ARG(r.name));
	struct sv mail;

	if (auth_dir_mail(a->dir, r.name, r.home, arena, &mail, e) < 0)
		return -1;
	*out = (struct auth_account){ .name = r.name, .uid = r.uid, .gid = r.gid, .home = r.home,
		.mail = mail, .shell = r.shell, .unix_account = true, .groups = r.groups };
	return 1;
}

/* "anna", or with a name of this host behind it; in lower case, as Postfix's local(8) and Dovecot have it.
 * LOOSE: whatever domain got so far is this host's. Empty: nobody is called so. */
static struct sv unix_name(const struct auth *a, struct sv name, bool loose, char room[static NAME_MAX_OCTETS + 1])
{
	ptrdiff_t at = sv_rchr(name, '@');

	if (at >= 0) {
		struct sv domain = sv_from(name, (size_t)at + 1);
		bool ours = loose;

		for (size_t i = 0; i < ARRAY_LEN(a->set.names); i++)
			ours = ours || (a->set.names[i] && sv_ieqz(domain, a->set.names[i]));
		if (!ours)
			return SV_NONE;
		name = sv_upto(name, (size_t)at);
	}
	if (sv_copyz(name, room, NAME_MAX_OCTETS + 1) < 0 || sv_chr(name, '\0') >= 0)
		return SV_NONE;
	for (char *p = room; *p; p++)
		*p = ascii_lower(*p);
	return sv_z(room);
}

int auth_account_find(struct auth *a, struct sv name, bool loose, struct arena *arena,
        struct auth_account *out, struct err *e)
{
	char room[NAME_MAX_OCTETS + 1];
	int rc = auth_dir_find(a->dir, name, loose, arena, out, e);

	if (rc != 0 || !a->pam)
		return rc;
	struct sv account = unix_name(a, name, loose, room);

	return sv_empty(account) ? 0 : ask_worker(a, account, 0, arena, out, e);
}

int auth_account_find_uid(struct auth *a, uid_t uid, struct arena *arena, struct auth_account *out, struct err *e)
{
	int rc = auth_dir_find_uid(a->dir, uid, arena, out, e);

	return rc != 0 || !a->pam ? rc : ask_worker(a, SV_NONE, uid, arena, out, e);
}

int auth_account_allowed(const struct auth *a, const struct auth_account *who, struct err *e)
{
	const struct auth_settings *set = &a->set;

	if (set->only_uid != (uid_t)-1) {
		if (who->uid == set->only_uid)
			return 1;
		return err_set(e, ERR_CONFIG, "user %.*s has uid %u, this instance serves uid %u only",
		        SV_ARG(who->name), (unsigned)who->uid, (unsigned)set->only_uid);
	}
	const char *why = rights_refuse_uid(&set->own, who->uid);

	if (!why)
		why = rights_refuse_gid(&set->own, who->gid);
	for (size_t i = 0; !why && i < who->groups.n; i++)
		why = rights_refuse_gid(&set->own, who->groups.v[i]);
	if (!why)
		return 1;
	return err_set(e, ERR_CONFIG,
	        "%.*s has uid %u, gid %u: nothing is done as %s; an alias must send this mail elsewhere",
	        SV_ARG(who->name), (unsigned)who->uid, (unsigned)who->gid, why);
}
