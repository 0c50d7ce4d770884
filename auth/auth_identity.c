/*
 * Identities: what local, virtual and pipe may name, turned into a uid. root and merpati's own accounts are
 * never among them; a private instance has one.
 */
#include <errno.h>

#include "auth/auth.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"

static bool is_private(const struct auth_settings *set)
{
	return set->only_uid != (uid_t)-1;
}

/* default_privs; in a private instance its owner, there is nobody else. */
static int find_default(const struct auth_settings *set, struct auth_account *out)
{
	*out = (struct auth_account){
		.uid = is_private(set) ? set->only_uid : set->default_uid,
		.gid = is_private(set) ? set->only_gid : set->default_gid,
	};
	return 1;
}

struct stat_job {
	int fd, rc, saved;
	struct stat st;
};

/* The file system may be a user's own, and take its time. */
static void run_stat(void *rec)
{
	struct stat_job *j = rec;

	j->rc = sys_fstat(j->fd, &j->st);
	j->saved = errno;
}

/* The owner of a file of root's is "default": nobody works as root. */
static int find_owner(
        struct auth *a, int fd, struct arena *arena, struct auth_account *out, struct err *e)
{
	struct stat st;

	if (fd < 0)
		return err_set(e, ERR_PERM, "no descriptor of the file whose owner is meant");
	struct stat_job j = { .fd = fd };

	fiber_offload(FIBER_POOL_LOOKUP, run_stat, &j);
	if (j.rc < 0)
		return err_sys(e, j.saved, "stat of the file whose owner is meant");
	st = j.st;
	if (st.st_uid == 0 || st.st_uid == a->set.only_uid)
		return find_default(&a->set, out);
	if (is_private(&a->set))
		return err_set(e, ERR_CONFIG,
		        "the file belongs to uid %u, this instance serves uid %u only",
		        (unsigned)st.st_uid, (unsigned)a->set.only_uid);
	int rc = auth_account_find_uid(a, st.st_uid, arena, out, e);

	if (rc == 0)
		rc = err_set(e, ERR_CONFIG, "the file belongs to uid %u, which is no user's",
		        (unsigned)st.st_uid);
	return rc;
}

int auth_identity(struct auth *a, struct sv kind, struct sv name, int fd, struct arena *arena,
        struct auth_account *out, struct err *e)
{
	int rc;

	if (sv_eqz(kind, "user"))
		rc = auth_account_find(a, name, true, arena, out, e);
	else if (sv_eqz(kind, "owner"))
		rc = find_owner(a, fd, arena, out, e);
	else if (sv_eqz(kind, "default"))
		rc = find_default(&a->set, out);
	else if (sv_eqz(kind, "service"))
		rc = auth_services_find(a->services, name, out, e);
	else if (sv_eqz(kind, "virtual"))
		rc = auth_virtual_find(a->virtual, name, out, e);
	else
		rc = err_set(e, ERR_TEMP, "auth does not know identities of kind %.*s", SV_ARG(kind));
	return rc == 1 ? auth_account_allowed(a, out, e) : rc;
}
