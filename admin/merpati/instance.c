#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>

#include "admin/merpati/merpati.h"
#include "lib/base/num.h"
#include "lib/sys/sys.h"

int instance_read(const char *dir, struct instance *out, struct err *e)
{
	*out = (struct instance){ .uid = geteuid(), .gid = getegid() };
	if (!dir)
		dir = config_dir_default();
	out->dir = realpath(dir, NULL);
	if (!out->dir)
		return err_set(e, ERR_CONFIG, "%s: %s: name an instance's folder with -c", dir,
		        strerror(errno));
	out->cfg = config_open(out->dir, e);
	if (!out->cfg || params_core_load(out->cfg, &out->core, e) < 0)
		return -1;
	const char *owner = out->core.instance_owner;
	if (owner[0] == '\0') /* a system instance, root's; or one that its owner runs himself */
		return 0;
	const struct passwd *pw = getpwnam(owner);
	if (!pw || pw->pw_uid == 0)
		return err_set(e, ERR_CONFIG, "%s: instance_owner = %s: %s",
		        config_where(out->cfg, "instance_owner"), owner,
		        pw ? "root cannot own an instance" : "there is no such user");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return 0;
}

void instance_close(struct instance *in)
{
	config_free(in->cfg);
	free(in->dir);
}

int instance_become_owner(struct instance *in, struct err *e)
{
	const char *owner = in->core.instance_owner;
	if (geteuid() == in->uid) /* root: a system instance */
		return 0;
	if (geteuid() != 0) {
		err_set(e, ERR_PERM, "%s belongs to %s: run this as %s or root", in->dir, owner,
		        owner);
		e->sys_errno = EPERM;
		return -1;
	}
	if (initgroups(owner, in->gid) < 0 || setresgid(in->gid, in->gid, in->gid) < 0 ||
	        setresuid(in->uid, in->uid, in->uid) < 0)
		return err_sys(e, errno, "become %s", owner);
	if (access(in->dir, R_OK | X_OK) < 0)
		return err_set(e, ERR_CONFIG,
		        "%s cannot be reached by its owner %s: %s: move it, or open "
		        "the folders above it",
		        in->dir, owner, strerror(errno));
	return 0;
}

int instance_open(const char *dir, struct instance *out, struct err *e)
{
	return instance_read(dir, out, e) < 0 ? -1 : instance_become_owner(out, e);
}

int instance_running(const struct instance *in, pid_t *pid, struct err *e)
{
	char path[4096], text[32] = "";
	*pid = 0;
	if (snprintf(path, sizeof path, "%s/pid/master.pid", in->core.queue_directory) >=
	        (int)sizeof path)
		return err_set(e, ERR_CONFIG, "queue_directory is too long");
	int fd = sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	int rc = 0;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		uint32_t n;
		ssize_t got = sys_pread(fd, text, sizeof text - 1, 0);
		if (errno == EWOULDBLOCK || got >= 0)
			rc = 1;
		if (got > 0 && num_u32(sv_trim(sv_n(text, (size_t)got)), &n) == 1)
			*pid = (pid_t)n;
	}
	sys_close(fd);
	return rc;
}
