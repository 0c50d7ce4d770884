/*
 * `merpati init --system`: the accounts, the configuration and the directories of this host's own instance.
 *
 * Order: accounts (names from an existing main.cf, else the built-in ones), files of the configuration with
 * main.cf last, directories, tables, what sign-in needs. Only what is missing is made, and each thing is told;
 * what is there stays as it is: when that is wrong, this ends before anything is built on it.
 */
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#include "admin/merpati/merpati.h"
#include "lib/queue/queue_dir.h"
#include "lib/server/layout.h"
#include "lib/sys/sys.h"

#define USERADD  "/usr/sbin/useradd"
#define GROUPADD "/usr/sbin/groupadd"
#define PAM_DIR  "/etc/pam.d"

#define HOST_ALIASES "/etc/aliases" /* of whichever mail system a host has */
#define MAILNAME     "/etc/mailname"

struct making {
	const struct init_options *o;
	const char *dir; /* the configuration */
	unsigned made;
	char aliases[4200];
};

static void told(struct making *m, const char *what, const char *name)
{
	printf("made %s %s\n", what, name);
	m->made++;
}

/* --- accounts ---------------------------------------------------------------------------------- */

static int make_group(struct making *m, const char *name, struct err *e)
{
	const char *const argv[] = { GROUPADD, "--system", name, NULL };
	if (getgrnam(name))
		return 0;
	int status = run_program(argv, e);
	if (status < 0)
		return -1;
	if (!getgrnam(name))
		return err_set(e, ERR_TEMP, "%s %s failed with status %d", GROUPADD, name, status);
	told(m, "the group", name);
	return 0;
}

static int make_user(struct making *m, const char *name, struct err *e)
{
	const char *const argv[] = { USERADD, "--system", "--gid", name, "--no-create-home", "--home-dir",
		"/nonexistent", "--shell", "/usr/sbin/nologin", "--comment", "merpati", name, NULL };
	if (getpwnam(name))
		return 0;
	if (make_group(m, name, e) < 0)
		return -1;
	int status = run_program(argv, e);
	if (status < 0)
		return -1;
	if (!getpwnam(name))
		return err_set(e, ERR_TEMP, "%s %s failed with status %d", USERADD, name, status);
	told(m, "the user", name);
	return 0;
}

/* *AUTH: the group of merpati-auth. */
static int make_accounts(struct making *m, gid_t *auth, struct err *e)
{
	struct params_core core;
	struct rights_ids ids;
	char main_cf[4200];
	snprintf(main_cf, sizeof(main_cf), "%s/main.cf", m->dir);
	struct config *cfg = access(main_cf, F_OK) == 0 ? config_open(m->dir, e) : config_open_empty(m->dir);
	int rc = !cfg || params_core_load(cfg, &core, e) < 0 ? -1 : 0;
	if (rc == 0 && core.instance_owner[0])
		rc = err_set(e, ERR_CONFIG, "%s is the private instance of %s: nothing was changed", m->dir,
			core.instance_owner);
	for (int i = 0; rc == 0 && i < RIGHTS_ACCOUNTS; i++) {
		rc = rights_name((enum rights_account)i, core.mail_owner, ids.name, e);
		if (rc == 0)
			rc = make_user(m, ids.name, e);
		if (rc == 0)
			rc = rights_find((enum rights_account)i, core.mail_owner, &ids, e) == 1 ? 0 : -1;
		if (rc == 0 && i == RIGHTS_AUTH)
			*auth = ids.gid;
	}
	if (rc == 0)
		rc = make_group(m, core.setgid_group, e);
	config_free(cfg);
	return rc;
}

/* --- files ------------------------------------------------------------------------------------- */

/* 0: TEXT is in DIR/NAME, or something was there already. */
static int make_file(struct making *m, const char *dir, const char *name, mode_t mode, gid_t gid, struct sv text,
	struct err *e)
{
	char path[4200];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (lstat(path, &st) == 0)
		return 0;
	int fd = sys_open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(e, errno, "open %s", dir);
	int rc = init_write_file(fd, name, mode, text, e);
	if (rc == 0 && gid != 0 && fchownat(fd, name, 0, gid, AT_SYMLINK_NOFOLLOW) < 0)
		rc = err_sys(e, errno, "give %s to group %u", path, (unsigned)gid);
	if (rc == 0 && sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "fsync %s", dir);
	sys_close(fd);
	if (rc == 0)
		told(m, "the file", path);
	return rc;
}

static int make_config_dir(struct making *m, struct err *e)
{
	struct layout_item dir = { .path = m->dir, .part = LAYOUT_CONFIG, .kind = LAYOUT_DIR, .user = "root",
		.group = "root", .mode = 0755 };
	struct stat st;
	if (lstat(m->dir, &st) == 0)
		return 0;
	if (layout_make(&dir, e) < 0)
		return -1;
	told(m, "the directory", m->dir);
	return 0;
}

/* Where nothing is configured yet: a key of root's, and a certificate. */
static int make_tls(struct making *m, struct init_host *host, struct err *e)
{
	char path[4200], main_cf[4200];
	struct stat st;
	struct layout_item dir = { .path = path, .part = LAYOUT_CONFIG, .kind = LAYOUT_DIR, .user = "root",
		.group = "root", .mode = 0700 };
	snprintf(main_cf, sizeof(main_cf), "%s/main.cf", m->dir);
	snprintf(path, sizeof(path), "%s/tls", m->dir);
	if (lstat(main_cf, &st) == 0 || lstat(path, &st) == 0)
		return 0;
	const char *domain = m->o->domain ? m->o->domain : host->name[0] ? host->name : "localhost.localdomain";
	if (layout_make(&dir, e) < 0 || init_tls(m->dir, host->name[0] ? host->name : domain, domain, e) < 0)
		return -1;
	told(m, "a certificate in", path);
	host->tls = true;
	return 0;
}

/* The host's name with its domain, from /etc/hosts or DNS; "" when it has none. */
static void full_name(char *out, size_t size)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char host[256] = "";
	out[0] = '\0';
	if (gethostname(host, sizeof(host) - 1) < 0 || getaddrinfo(host, NULL, &hints, &found) != 0)
		return;
	const char *name = found && found->ai_canonname ? found->ai_canonname : "";
	if (strchr(name, '.') && user_domain_valid(sv_z(name)) && strlen(name) < size)
		snprintf(out, size, "%s", name);
	freeaddrinfo(found);
}

static int make_config(struct making *m, gid_t auth, struct err *e)
{
	char name[256];
	struct init_host host = { .name = name, .aliases = m->aliases, .mailname = access(MAILNAME, R_OK) == 0 };
	struct buf b;
	buf_init(&b, 65536);
	full_name(name, sizeof(name));
	bool shared = access(HOST_ALIASES, F_OK) == 0;
	if (shared)
		snprintf(m->aliases, sizeof(m->aliases), HOST_ALIASES);
	else
		snprintf(m->aliases, sizeof(m->aliases), "%s/aliases", m->dir);
	init_aliases(true, &b);
	int rc = shared ? 0 : make_file(m, m->dir, "aliases", 0644, 0, buf_sv(&b), e);
	buf_reset(&b);
	if (rc == 0)
		rc = make_file(m, m->dir, "users", 0640, auth,
			SV("# name@domain:{CRYPT}hash:uid:gid::home:: lines, made by `merpati user`; unix users need "
			   "none\n"),
			e);
	if (rc == 0)
		rc = make_tls(m, &host, e);
	init_master_cf(true, &b);
	if (rc == 0)
		rc = make_file(m, m->dir, "master.cf", 0644, 0, buf_sv(&b), e);
	buf_reset(&b);
	init_system_main_cf(m->o, &host, m->dir, &b);
	if (rc == 0)
		rc = make_file(m, m->dir, "main.cf", 0644, 0, buf_sv(&b), e);
	buf_free(&b);
	return rc;
}

/* --- directories and what needs them ----------------------------------------------------------- */

/* Set-gid postdrop writes into maildrop/ while the system is down. It must be root's file to get the bit. */
static int give_set_gid(struct making *m, const struct layout_item *it, struct err *e)
{
	struct stat st;
	struct buf ignored;
	buf_init(&ignored, 4096);
	bool good = layout_look(it, &ignored) == 1;
	buf_free(&ignored);
	if (good || lstat(it->path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0)
		return 0;
	if (lchown(it->path, it->uid, it->gid) < 0 || chmod(it->path, it->mode) < 0)
		return err_sys(e, errno, "make %s set-gid %s", it->path, it->group);
	printf("made %s set-gid %s\n", it->path, it->group);
	m->made++;
	return 0;
}

static int make_dirs(struct making *m, struct layout *l, struct err *e)
{
	struct layout_item it;
	struct stat st;
	for (size_t i = 0; layout_item(l, i, &it); i++) {
		if (it.path && it.part == LAYOUT_PROGRAM && give_set_gid(m, &it, e) < 0)
			return -1;
		if (!it.path || it.kind != LAYOUT_DIR || lstat(it.path, &st) == 0)
			continue;
		if (layout_make(&it, e) < 0)
			return -1;
		told(m, "the directory", it.path);
	}
	return 0;
}

/* The hashed directories, as the account that they belong to. */
static int make_queue(const struct layout *l, const char *spool, struct err *e)
{
	const struct rights_ids *mail = &l->own.ids[RIGHTS_MAIL];
	struct queue q;
	if (queue_open(&q, spool, e) < 0)
		return -1;
	int rc = -1;
	if (setegid(mail->gid) < 0 || seteuid(mail->uid) < 0)
		err_sys(e, errno, "become %s", mail->name);
	else
		rc = queue_create_dirs(&q, e);
	if (seteuid(0) < 0 || setegid(0) < 0)
		rc = err_sys(e, errno, "become root again");
	queue_close(&q);
	return rc;
}

/* FILE.db, when alias_database names it and FILE is there. */
static int make_alias_table(struct making *m, const char *databases, const char *file, struct err *e)
{
	char table[4300], word[4300];
	struct stat st;
	snprintf(table, sizeof(table), "%s.db", file);
	int n = snprintf(word, sizeof(word), "hash:%s", file);
	ptrdiff_t at = sv_find(sv_z(databases), sv_n(word, (size_t)n));
	/* and not the beginning of a longer name */
	if (at < 0 || !strchr(", \t", databases[at + n]) || lstat(file, &st) < 0 || lstat(table, &st) == 0)
		return 0;
	if (init_build_aliases(m->dir, file, e) < 0)
		return -1;
	told(m, "the table", table);
	return 0;
}

static int make_alias_tables(struct making *m, const struct params_core *core, struct err *e)
{
	char own[4200];
	snprintf(own, sizeof(own), "%s/aliases", m->dir);
	if (make_alias_table(m, core->alias_database, own, e) < 0)
		return -1;
	return make_alias_table(m, core->alias_database, HOST_ALIASES, e);
}

static int make_pam(struct making *m, struct err *e)
{
	if (access(PAM_DIR, F_OK) < 0)
		return 0;
	bool debian = access(PAM_DIR "/common-auth", F_OK) == 0;
	return make_file(m, PAM_DIR, "merpati", 0644, 0,
		debian ? SV("# sign-in of unix users to merpati's POP3 and IMAP\n@include common-auth\n"
			    "@include common-account\n")
		       : SV("# sign-in of unix users to merpati's POP3 and IMAP\nauth required pam_unix.so\n"
			    "account required pam_unix.so\n"),
		e);
}

/* What was there before, and is not as it should be. */
static unsigned look_around(struct layout *l)
{
	struct layout_item it;
	unsigned wrong = 0;
	for (size_t i = 0; layout_item(l, i, &it); i++) {
		struct buf finding;
		buf_init(&finding, 16384);
		int rc = layout_look(&it, &finding);
		if (rc == 0)
			buf_printf(&finding, "%s is missing", it.path);
		if (rc != 1)
			fprintf(stderr, "error: %s\n", buf_z(&finding));
		wrong += rc != 1;
		buf_free(&finding);
	}
	return wrong;
}

/* Accounts and files are there: the rest follows main.cf. */
static int make_rest(struct making *m, struct err *e)
{
	struct params_core core;
	struct layout l;
	unsigned wrong = 0;
	struct config *cfg = config_open(m->dir, e);
	if (!cfg || params_core_load(cfg, &core, e) < 0 || layout_open(&l, m->dir, &core, e) < 0) {
		config_free(cfg);
		return -1;
	}
	int rc = make_dirs(m, &l, e);
	if (rc == 0 && (wrong = look_around(&l)) > 0)
		rc = err_set(e, ERR_CONFIG, "mend these first (%u), as `merpati check` says, and come again", wrong);
	if (rc == 0)
		rc = make_queue(&l, core.queue_directory, e);
	if (rc == 0)
		rc = make_alias_tables(m, &core, e);
	if (rc == 0)
		rc = make_pam(m, e);
	layout_close(&l);
	config_free(cfg);
	return rc;
}

int init_system(const struct init_options *o, struct err *e)
{
	struct making m = { .o = o, .dir = o->dir };
	gid_t auth = 0;
	if (geteuid() != 0)
		return err_set(e, ERR_CONFIG, "only root can make a system instance");
	if (o->domain && !user_domain_valid(sv_z(o->domain)))
		return err_set(e, ERR_CONFIG, "--domain %s: not a domain name (lower-case letters, digits, '-', '.')",
			o->domain);
	mode_t old = umask(022);
	int rc = make_config_dir(&m, e);
	if (rc == 0)
		rc = make_accounts(&m, &auth, e);
	if (rc == 0)
		rc = make_config(&m, auth, e);
	if (rc == 0)
		rc = make_rest(&m, e);
	umask(old);
	if (rc < 0)
		return -1;
	if (m.made == 0)
		printf("nothing was missing\n");
	else
		printf("next: read %s/main.cf; see that root's mail has a reader in %s; merpati start\n", m.dir,
			m.aliases);
	return 0;
}
