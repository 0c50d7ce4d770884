#include "lib/sys/jail.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "lib/sys/landlock.h"
#include "lib/sys/log.h"
#include "lib/sys/seccomp_filter.h"

/* unshare(CLONE_THREAD) changes nothing, and fails where more than one thread exists: no /proc needed. */
static int only_one_thread(struct err *e)
{
	if (unshare(CLONE_THREAD) == 0)
		return 0;
	return err_set(e, ERR_BUG, "sandbox: a thread was started before the jail closed");
}

static int enter_root(const char *dir, struct err *e)
{
	if (chdir(dir) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(e, errno, "sandbox: chroot to %s", dir);
	return 0;
}

/* For good: real, effective and saved ids, then proof that there is no way back. */
static int change_ids(const struct jail *j, struct err *e)
{
	uid_t uid = j->uid, r, f, s;
	gid_t gid = j->gid, gr, gf, gs;
	if (setgroups(j->ngroups, j->groups) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		return err_sys(e, errno, "sandbox: become uid %u gid %u", (unsigned)uid, (unsigned)gid);
	if (getresuid(&r, &f, &s) < 0 || r != uid || f != uid || s != uid || setuid(0) == 0 ||
		getresgid(&gr, &gf, &gs) < 0 || gr != gid || gf != gid || gs != gid)
		return err_set(e, ERR_BUG, "sandbox: uid %u can be left again", (unsigned)uid);
	return 0;
}

/* While still root: nothing that is executed later gets a capability back but those of KEEP (bits). */
static int limit_bounding_set(uint64_t keep, struct err *e)
{
	for (unsigned long cap = 0; cap <= 63; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (has < 0)
			break; /* past the last one that this kernel knows */
		if (has == 1 && !(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(e, errno, "sandbox: capability %lu of the bounding set", cap);
	}
	return 0;
}

static int limit_capabilities(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const uint32_t low = (uint32_t)keep, high = (uint32_t)(keep >> 32);
	struct __user_cap_data_struct sets[2] = { { low, low, 0 }, { high, high, 0 } };
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, errno, "sandbox: ambient capabilities");
	if (syscall(SYS_capset, &h, sets) < 0)
		return err_sys(e, errno, "sandbox: capabilities");
	return 0;
}

static uint64_t bits(const int *caps, size_t n)
{
	uint64_t set = 0;
	for (size_t i = 0; i < n; i++)
		set |= 1ull << caps[i];
	return set;
}

int jail_keep(const int *own, size_t nown, const int *below, size_t nbelow, struct err *e)
{
	return limit_bounding_set(bits(below, nbelow), e) < 0 ? -1 : limit_capabilities(bits(own, nown), e);
}

/* No core file and no debugger: both show other people's mail. */
static int close_memory(struct err *e)
{
	struct rlimit none = { 0, 0 };
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(e, errno, "sandbox: core limit");
#ifndef MERPATI_SANITIZED /* the leak checker attaches to its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "sandbox: dumpable");
#endif
	return 0;
}

static int restrict_files(const struct jail *j, int rules, struct err *e)
{
	if (rules >= 0)
		return landlock_close_door(rules, e);
	if (!j->seccomp_optional)
		return err_set(e, ERR_CONFIG,
			"sandbox: this kernel has no Landlock; \"sandbox_required = no\" accepts that");
	log_warn("sandbox: no Landlock in this kernel, and sandbox_required = no");
	return 0;
}

static int restrict_calls(const struct jail *j, struct err *e)
{
	if (seccomp_filter_load(j->allow, e) == 0)
		return 0;
	if (!j->seccomp_optional)
		return -1;
	log_warn("%s", e ? e->text : "sandbox: no system call filter");
	return 0;
}

int jail_user(const struct jail *j, struct err *e)
{
	if (j->uid == (uid_t)-1)
		return 0;
	if (j->uid == 0 || only_one_thread(e) < 0)
		return j->uid == 0 ? err_set(e, ERR_BUG, "sandbox: root is no account to change to") : -1;
	if (!j->keep_bounding && limit_bounding_set(0, e) < 0)
		return -1;
	return change_ids(j, e) < 0 ? -1 : limit_capabilities(0, e);
}

/* Root, but for nearly all of what makes it that; what it executes gets nothing at all. */
static int stay_root(const struct jail *j, struct err *e)
{
	if (setgroups(0, NULL) < 0)
		return err_sys(e, errno, "sandbox: give up groups");
	return limit_bounding_set(0, e) < 0 ? -1 : limit_capabilities(bits(j->keep_caps, j->nkeep_caps), e);
}

/* A path is looked up with the rights of the account that the process has then: another's directory that
 * it could not enter is no place for it. Only what a new root hides is looked up before. */
static int prepare(const struct jail *j, bool files, int *rules, struct err *e)
{
	if (j->chroot_dir) {
		if (files && landlock_prepare(j, rules, e) < 0)
			return -1;
		if (enter_root(j->chroot_dir, e) < 0)
			return -1;
	}
	if (geteuid() == 0 && jail_user(j, e) < 0)
		return -1;
	if (geteuid() == 0 && j->stays_root && stay_root(j, e) < 0)
		return -1;
	return files && !j->chroot_dir && landlock_prepare(j, rules, e) < 0 ? -1 : 0;
}

int jail_enter(const struct jail *j, struct err *e)
{
	/* what is executed later must be able to open files: no Landlock then */
	bool files = !(j->allow & JAIL_EXEC);
	/* the kernel takes filters only from a process that gives up set-id programs */
	bool filters = j->no_new_privs;
	int rules = -1;
	if (only_one_thread(e) < 0)
		return -1;
	if (prepare(j, files && filters, &rules, e) < 0)
		return -1;
	if (filters && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "sandbox: no_new_privs");
	if (geteuid() != 0 && limit_capabilities(0, e) < 0)
		return -1;
	if (close_memory(e) < 0)
		return -1;
	if (files && filters && restrict_files(j, rules, e) < 0)
		return -1;
	return filters ? restrict_calls(j, e) : 0;
}
