#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "admin/merpati/merpati.h"
#include "lib/queue/queue_dir.h"
#include "lib/sys/sys.h"

/*
 * As root: the folder is made and given to the owner, then this process becomes the owner and
 * makes everything else, so that no file in it was ever written by root.
 */
#define DEMO_USER "merpati-demo"

struct owner {
	char name[64];
	uid_t uid;
	gid_t gid;
};

static int make_demo_user(struct err *e)
{
	const char *const argv[] = { "/usr/sbin/useradd", "--system", "--user-group",
		"--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
		DEMO_USER, NULL };
	int status = run_program(argv, e);
	if (status < 0)
		return err_prefix(e, "cannot make the user " DEMO_USER " (name one with --owner)");
	if (status != 0 && !getpwnam(DEMO_USER))
		return err_set(e, ERR_TEMP,
		        "useradd %s failed with status %d: name an ordinary user with "
		        "--owner",
		        DEMO_USER, status);
	return 0;
}

static int find_owner(const struct init_options *o, struct owner *out, struct err *e)
{
	const char *name = o->owner;
	const struct passwd *pw;
	if (!name && geteuid() == 0) {
		name = DEMO_USER;
		if (!getpwnam(name) && make_demo_user(e) < 0)
			return -1;
	}
	pw = name ? getpwnam(name) : getpwuid(geteuid());
	if (!pw)
		return err_set(e, ERR_CONFIG, "there is no user %s", name ? name : "with your uid");
	if (pw->pw_uid == 0)
		return err_set(e, ERR_CONFIG, "root cannot own an instance: name an ordinary user");
	if (geteuid() != 0 && pw->pw_uid != geteuid())
		return err_set(e, ERR_CONFIG, "only root can make an instance for %s", name);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return sv_copyz(sv_z(pw->pw_name), out->name, sizeof out->name) < 0
	               ? err_set(e, ERR_CONFIG, "the user name is too long")
	               : 0;
}

/* DIR made, or there and empty of an instance; owned by the owner; absolute in *out. */
static int prepare_dir(
        const struct init_options *o, const struct owner *who, char **out, struct err *e)
{
	struct stat st;
	char probe[4096];
	bool made = mkdir(o->dir, 0755) == 0;
	if (!made && errno != EEXIST)
		return err_sys(e, errno, "make the folder %s", o->dir);
	*out = realpath(o->dir, NULL);
	if (!*out || lstat(*out, &st) < 0)
		return err_sys(e, errno, "%s", o->dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFIG, "%s is not a folder", *out);
	if (strpbrk(*out, " \t\n,:{}$#"))
		return err_set(e, ERR_CONFIG,
		        "%s: choose a path without blanks and , : { } $ #: the "
		        "configuration's syntax needs them",
		        *out);
	if (snprintf(probe, sizeof probe, "%s/main.cf", *out) >= (int)sizeof probe)
		return err_set(e, ERR_CONFIG, "%s: the path is too long", *out);
	if (access(probe, F_OK) == 0)
		return err_set(e, ERR_CONFIG,
		        "%s holds an instance already (main.cf is there): nothing was "
		        "changed",
		        *out);
	if (!made && st.st_uid != who->uid && st.st_uid != geteuid())
		return err_set(e, ERR_CONFIG, "%s belongs to another user", *out);
	if (chmod(*out, 0755) < 0 || (geteuid() == 0 && lchown(*out, who->uid, who->gid) < 0))
		return err_sys(e, errno, "give %s to %s", *out, who->name);
	return 0;
}

static int become(const struct owner *who, const char *dir, struct err *e)
{
	if (geteuid() == 0 && (initgroups(who->name, who->gid) < 0 ||
	                              setresgid(who->gid, who->gid, who->gid) < 0 ||
	                              setresuid(who->uid, who->uid, who->uid) < 0))
		return err_sys(e, errno, "become %s", who->name);
	if (access(dir, R_OK | W_OK | X_OK) < 0)
		return err_set(e, ERR_CONFIG,
		        "%s cannot reach %s: %s: choose a folder whose parents are "
		        "open to that user",
		        who->name, dir, strerror(errno));
	return 0;
}

int init_write_file(int dir, const char *name, mode_t mode, struct sv text, struct err *e)
{
	int fd = sys_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", name);
	int rc = 0;
	if (sys_write_all(fd, text.p, text.len) < 0 || sys_fchmod(fd, mode) < 0 ||
	        sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "write %s", name);
	sys_close(fd);
	return rc;
}

static int write_texts(
        int dir, const struct init_options *o, const char *path, const char *owner, struct err *e)
{
	struct buf b;
	buf_init(&b, 65536);
	init_aliases(false, &b);
	int rc = init_write_file(dir, "aliases", 0644, buf_sv(&b), e);
	buf_reset(&b);
	if (rc == 0)
		rc = init_write_file(dir, "users", 0600,
		        SV("# name@domain:{CRYPT}hash:uid:gid::home:: lines, "
		           "made by `merpati user`\n"),
		        e);
	init_master_cf(false, &b);
	if (rc == 0)
		rc = init_write_file(dir, "master.cf", 0644, buf_sv(&b), e);
	buf_reset(&b);
	init_main_cf(o, path, owner, &b);
	if (rc == 0) /* last: with it the folder counts as an instance */
		rc = init_write_file(dir, "main.cf", 0644, buf_sv(&b), e);
	buf_free(&b);
	return rc;
}

/* The queue's directories: sendmail and postdrop work before the first start. */
static int make_queue(const char *path, struct err *e)
{
	char spool[4096];
	struct queue q;
	if (snprintf(spool, sizeof spool, "%s/spool", path) >= (int)sizeof spool)
		return err_set(e, ERR_CONFIG, "%s: the path is too long", path);
	if (queue_open(&q, spool, e) < 0)
		return -1;
	int rc = queue_create_dirs(&q, e);
	queue_close(&q);
	return rc;
}

static int make_files(
        const struct init_options *o, const char *path, const char *owner, struct err *e)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = { { "log", 0700 }, { "tls", 0700 }, { "spool", 0755 }, { "spool/data", 0700 },
		{ "spool/pid", 0755 }, { "spool/public", 0755 }, { "spool/private", 0700 },
		{ "mail", 0700 } };
	int dir = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(e, errno, "open %s", path);
	int rc = 0;
	mode_t old = umask(0);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(dirs); i++)
		if (sys_mkdirat(dir, dirs[i].name, dirs[i].mode) < 0 && errno != EEXIST)
			rc = err_sys(e, errno, "make %s/%s", path, dirs[i].name);
	umask(old);
	if (rc == 0)
		rc = make_queue(path, e);
	char host[300];
	snprintf(host, sizeof host, "mail.%s", o->domain);
	if (rc == 0)
		rc = init_tls(path, host, o->domain, e);
	if (rc == 0)
		rc = write_texts(dir, o, path, owner, e);
	sys_close(dir);
	return rc;
}

int init_build_aliases(const char *dir, const char *aliases, struct err *e)
{
	char program[4096], table[4200];
	struct config *cfg = config_open(dir, e);
	const char *commands = cfg ? config_str(cfg, "command_directory", e) : NULL;
	int status = -1;
	if (commands) {
		snprintf(program, sizeof program, "%s/postalias", commands);
		snprintf(table, sizeof table, "hash:%s", aliases);
		const char *const argv[] = { program, "-c", dir, table, NULL };
		status = run_program(argv, e);
		if (status > 0)
			status = err_set(e, ERR_CONFIG, "%s %s failed", program, table);
	}
	config_free(cfg);
	return status < 0 ? -1 : 0;
}

int init_instance(const struct init_options *o, struct err *e)
{
	struct owner who;
	char *path = NULL, aliases[4200];
	if (!user_domain_valid(sv_z(o->domain)))
		return err_set(e, ERR_CONFIG,
		        "--domain %s: not a domain name (lower-case letters, digits, "
		        "'-' and '.')",
		        o->domain);
	if (find_owner(o, &who, e) < 0 || prepare_dir(o, &who, &path, e) < 0 ||
	        become(&who, path, e) < 0 || make_files(o, path, who.name, e) < 0 ||
	        make_queue(path, e) < 0) {
		free(path);
		return -1;
	}
	snprintf(aliases, sizeof aliases, "%s/aliases", path);
	if (init_build_aliases(path, aliases, e) < 0) {
		free(path);
		return -1;
	}
	printf("made a private instance of %s for %s in %s\n", who.name, o->domain, path);
	printf("next: merpati -c %s user add NAME; merpati -c %s start\n", path, path);
	free(path);
	return 0;
}
