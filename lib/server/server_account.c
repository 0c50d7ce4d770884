/* Which account this process has. Root only in a system instance: see lib/server/rights.h. */
#include <errno.h>

#include "lib/server/server_private.h"
#include "lib/sys/sys.h"

#define EMPTY_DIR "empty" /* in the queue directory: the root directory of jailed processes */

/* Nothing in it, nobody but root may put something there. */
static int check_empty(const struct server *s, struct err *e)
{
	struct stat st;
	const char *dir = s->core.queue_directory;
	if (lstat(EMPTY_DIR, &st) < 0)
		return err_sys(e, errno, "sandbox: %s/" EMPTY_DIR, dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		return err_set(e, ERR_CONFIG, "sandbox: %s/" EMPTY_DIR " must be a directory of root that nobody "
			"else may write", dir);
	DIR *d = opendir(EMPTY_DIR);
	if (!d)
		return err_sys(e, errno, "sandbox: %s/" EMPTY_DIR, dir);
	int rc = 0;
	for (struct dirent *en; rc == 0 && (en = readdir(d));)
		if (strcmp(en->d_name, ".") != 0 && strcmp(en->d_name, "..") != 0)
			rc = err_set(e, ERR_CONFIG, "sandbox: %s/" EMPTY_DIR " must be empty, but holds %s", dir,
				en->d_name);
	closedir(d);
	return rc;
}

int account_choose(struct server *s, struct err *e)
{
	const char *program = s->def->rights ? s->def->rights : s->def->name;
	struct jail *j = &s->jail;
	const struct rights *r = s->rights = rights_of(program);
	j->uid = (uid_t)-1;
	j->gid = (gid_t)-1;
	/* set-id programs must work below what executes users' commands, in a private instance, too */
	j->no_new_privs = !r || !r->set_id_below;
	if (geteuid() != 0)
		return 0;
	if (s->core.instance_owner[0])
		return err_set(e, ERR_CONFIG, "the instance of %s does not run as root", s->core.instance_owner);
	if (!r)
		return err_set(e, ERR_CONFIG, "%s has no account in a system instance", program);
	s->is_system = true;
	if (rights_own(s->core.mail_owner, &s->own, e) < 0)
		return -1;
	j->keep_bounding = r->set_id_below;
	if (r->account < RIGHTS_ACCOUNTS) {
		j->uid = s->own.ids[r->account].uid;
		j->gid = s->own.ids[r->account].gid;
	}
	if (r->jailed) {
		j->chroot_dir = EMPTY_DIR;
		return check_empty(s, e);
	}
	return r->opens_as_root ? 0 : jail_user(j, e);
}

bool server_is_system(const struct server *s)
{
	return s->is_system;
}

const struct rights_own *server_own_accounts(const struct server *s)
{
	return &s->own;
}

void server_stay_root(struct server *s, const char *dir, const int *caps, size_t ncaps)
{
	if (!s->rights || !s->rights->keeps_caps || geteuid() != 0)
		return;
	s->jail.chroot_dir = dir;
	s->jail.keep_caps = caps;
	s->jail.nkeep_caps = ncaps;
	s->jail.stays_root = true;
}

void server_give_up(struct server *s, unsigned jail)
{
	s->given_up |= jail;
}

int account_assume(struct server *s, struct err *e)
{
	return geteuid() == 0 && !s->jail.chroot_dir ? jail_user(&s->jail, e) : 0;
}
