#include <errno.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "admin/merpati/merpati.h"
#include "lib/server/rights.h"
#include "lib/sys/sys.h"

/*
 * The users file: name@domain:{SCHEME}hash:uid:gid::home::
 *
 * A change copies all other lines as they are into a new file, which takes the place of the old one
 * by rename: a reader sees the one or the other. The folder itself is the lock between two
 * commands.
 */
#define USERS_MAX       (64u << 20)
#define NAME_MAX_OCTETS 64
#define USER_MAX        (NAME_MAX_OCTETS + 1 + 256) /* name@domain */

struct users {
	char path[4096];
	char fresh[4200];
	int lock;        /* the folder, flocked */
	struct buf text; /* the file as it is */
};

bool user_domain_valid(struct sv domain)
{
	if (domain.len < 1 || domain.len > 253 || domain.p[domain.len - 1] == '.')
		return false;
	size_t label = 0;
	for (size_t i = 0; i < domain.len; i++) {
		char c = domain.p[i];
		if (c == '.' && label == 0)
			return false;
		if (c == '-' && label == 0)
			return false;
		if (c != '.' && c != '-' && !ascii_is_digit(c) && !(c >= 'a' && c <= 'z'))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return true;
}

/* "name" or "name@domain", folded to lower case; the result is "name@domain". */
static int full_name(
        const struct instance *in, const char *given, char *out, size_t size, struct err *e)
{
	struct sv s = sv_z(given);
	ptrdiff_t at = sv_rchr(s, '@');
	struct sv local = at < 0 ? s : sv_upto(s, (size_t)at);
	struct sv domain = at < 0 ? sv_z(in->core.mydomain) : sv_from(s, (size_t)at + 1);
	if (local.len < 1 || local.len > NAME_MAX_OCTETS || local.p[0] == '.' || local.p[0] == '-')
		goto bad;
	for (size_t i = 0; i < local.len; i++)
		if (!ascii_is_alnum(local.p[i]) && !strchr("._-", local.p[i]))
			goto bad;
	int n = snprintf(out, size, "%.*s@%.*s", SV_ARG(local), SV_ARG(domain));
	if (n < 0 || (size_t)n >= size)
		goto bad;
	for (char *p = out; *p; p++)
		*p = ascii_lower(*p);
	if (!user_domain_valid(sv_from(sv_z(out), local.len + 1)))
		goto bad;
	return 0;
bad:
	return err_set(e, ERR_PERM,
	        "\"%s\" cannot be a user: letters, digits, '.', '_' and '-' before "
	        "an optional @domain, at most %d octets",
	        given, NAME_MAX_OCTETS);
}

static int users_open(const struct instance *in, struct users *u, struct err *e)
{
	const char *file = config_str(in->cfg, "auth_users_file", e);
	if (!file)
		return -1;
	int n = file[0] ? snprintf(u->path, sizeof u->path, "%s", file)
	                : snprintf(u->path, sizeof u->path, "%s/users", in->dir);
	if (n < 0 || (size_t)n >= sizeof u->path)
		return err_set(e, ERR_CONFIG, "auth_users_file is too long");
	snprintf(u->fresh, sizeof u->fresh, "%s.new", u->path);
	buf_init(&u->text, USERS_MAX);
	u->lock = sys_open(in->dir, O_RDONLY | O_DIRECTORY, 0);
	if (u->lock < 0 || flock(u->lock, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", in->dir);
	int fd = sys_open(u->path, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", u->path);
	int rc = 0;
	for (;;) {
		char *room = buf_room(&u->text, 65536);
		ssize_t got = room ? sys_read(fd, room, 65536) : 0;
		if (!room)
			rc = err_set(
			        e, ERR_CONFIG, "%s is larger than %u octets", u->path, USERS_MAX);
		else if (got < 0)
			rc = err_sys(e, errno, "read %s", u->path);
		else
			buf_added(&u->text, (size_t)got);
		if (rc < 0 || got == 0)
			break;
	}
	sys_close(fd);
	return rc;
}

static void users_close(struct users *u)
{
	buf_free(&u->text);
	if (u->lock >= 0)
		sys_close(u->lock);
}

/* The name at the start of LINE; empty for comments and blank lines. */
static struct sv line_name(struct sv line)
{
	if (sv_empty(sv_trim(line)) || line.p[0] == '#')
		return SV_NONE;
	return sv_take_until(&line, ':');
}

static bool users_have(const struct users *u, const char *name)
{
	struct sv rest = buf_sv(&u->text), line;
	while (sv_take_line(&rest, &line))
		if (sv_ieqz(line_name(line), name))
			return true;
	return false;
}

/* Of a system instance the file is root's, and auth may read it. */
static int share_with_auth(const struct instance *in, int fd, struct err *e)
{
	struct rights_ids auth;
	int rc = rights_find(RIGHTS_AUTH, in->core.mail_owner, &auth, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_CONFIG, "there is no account %s: run `merpati init --system`", auth.name);
	return fchown(fd, 0, auth.gid) < 0 || sys_fchmod(fd, 0640) < 0
	               ? err_sys(e, errno, "give the users file to %s", auth.name)
	               : 0;
}

/* Write TEXT in the place of the users file. */
static int users_replace(const struct instance *in, struct users *u, struct sv text, struct err *e)
{
	(void)sys_unlink(u->fresh); /* of a command that was killed; the lock is ours */
	int fd = sys_open(u->fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", u->fresh);
	int rc = in->uid == 0 ? share_with_auth(in, fd, e) : 0;
	if (rc < 0)
		;
	else if (sys_write_all(fd, text.p, text.len) < 0 || sys_fsync(fd) < 0)
		rc = err_sys(e, errno, "write %s", u->fresh);
	sys_close(fd);
	if (rc == 0 && (sys_rename(u->fresh, u->path) < 0 || sys_fsync(u->lock) < 0))
		rc = err_sys(e, errno, "rename %s to %s", u->fresh, u->path);
	if (rc < 0)
		(void)sys_unlink(u->fresh);
	return rc;
}

/* The old text with NAME's lines changed by EDIT: new second field, or NULL to drop the line. */
static void users_edit(const struct users *u, const char *name, const char *hash, struct buf *out)
{
	struct sv rest = buf_sv(&u->text), line;
	while (sv_take_line(&rest, &line)) {
		if (sv_ieqz(line_name(line), name)) {
			if (!hash)
				continue;
			struct sv tail = line, user = sv_take_until(&tail, ':');
			(void)sv_take_until(&tail, ':');
			buf_printf(out, "%.*s:%s:%.*s\n", SV_ARG(user), hash, SV_ARG(tail));
			continue;
		}
		buf_put_sv(out, line);
		buf_putc(out, '\n');
	}
}

static int make_dir(const char *path, struct err *e)
{
	return sys_mkdir(path, 0700) < 0 && errno != EEXIST ? err_sys(e, errno, "make %s", path)
	                                                    : 0;
}

/* Who the new user is. */
struct person {
	uid_t uid;
	gid_t gid;
	char home[2048];
};

/* Of a system instance: an account of the system, which has its home already. */
static int find_account(const struct instance *in, const char *name, struct person *out, struct err *e)
{
	struct sv local = sv_upto(sv_z(name), strcspn(name, "@"));
	struct rights_own own;
	char account[NAME_MAX_OCTETS + 1];
	if (sv_copyz(local, account, sizeof account) < 0 || rights_own(in->core.mail_owner, &own, e) < 0)
		return -1;
	const struct passwd *pw = getpwnam(account);
	if (!pw)
		return err_set(e, ERR_PERM, "the system has no account %s: users of a system instance need one",
		        account);
	const char *why = rights_refuse_uid(&own, pw->pw_uid);
	if (!why)
		why = rights_refuse_gid(&own, pw->pw_gid);
	if (why)
		return err_set(e, ERR_PERM, "%s cannot be a user: nothing is done as %s", account, why);
	if (pw->pw_dir[0] != '/' || strpbrk(pw->pw_dir, ":\n") ||
	        snprintf(out->home, sizeof out->home, "%s", pw->pw_dir) >= (int)sizeof out->home)
		return err_set(e, ERR_CONFIG, "the home of %s is no path that the users file can hold", account);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return 0;
}

/* DIR/mail/DOMAIN/NAME with an empty Maildir. */
static int make_home(
        const struct instance *in, const char *name, char *home, size_t size, struct err *e)
{
	struct sv domain = sv_z(name), local = sv_take_until(&domain, '@');
	char path[4096];
	static const char *const below[] = { "", "/Maildir", "/Maildir/cur", "/Maildir/new",
		"/Maildir/tmp" };
	snprintf(path, sizeof path, "%s/mail", in->dir);
	if (make_dir(path, e) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/mail/%.*s", in->dir, SV_ARG(domain));
	if (make_dir(path, e) < 0)
		return -1;
	int n = snprintf(home, size, "%s/mail/%.*s/%.*s", in->dir, SV_ARG(domain), SV_ARG(local));
	if (n < 0 || (size_t)n >= size || strchr(home, ':'))
		return err_set(e, ERR_CONFIG, "the home %s is too long or holds a ':'", home);
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		if (snprintf(path, sizeof path, "%s%s", home, below[i]) >= (int)sizeof path)
			return err_set(e, ERR_CONFIG, "the path %s is too long", home);
		if (make_dir(path, e) < 0)
			return -1;
	}
	return 0;
}

/* Read the password, hash it, and hand the new text of the file to users_replace(). */
static int change(struct instance *in, struct users *u, const char *name, bool add, struct err *e)
{
	char password[PASSWORD_MAX + 1];
	struct person who = { .uid = in->uid, .gid = in->gid };
	struct buf hash, text;
	buf_init(&hash, 1024);
	buf_init(&text, USERS_MAX);
	int rc = add && in->uid == 0 ? find_account(in, name, &who, e) : 0;
	if (rc == 0)
		rc = password_read(name, password, e);
	if (rc == 0)
		rc = password_hash(password, &hash, e);
	explicit_bzero(password, sizeof password);
	if (rc == 0 && add && in->uid != 0)
		rc = make_home(in, name, who.home, sizeof who.home, e);
	if (rc == 0) {
		users_edit(u, name, buf_z(&hash), &text);
		if (add)
			buf_printf(&text, "%s:%s:%u:%u::%s::\n", name, buf_z(&hash),
			        (unsigned)who.uid, (unsigned)who.gid, who.home);
		rc = text.overflow ? err_set(e, ERR_CONFIG, "%s is too large", u->path)
		                   : users_replace(in, u, buf_sv(&text), e);
	}
	buf_free(&hash);
	buf_free(&text);
	return rc;
}

/* NAME is GIVEN in full; the file is locked and read, and NAME stands in it or (not EXISTS) does not.
 * 0 or -1; users_close() in any case. */
static int users_begin(const struct instance *in, const char *given, bool exists, struct users *u,
        char name[USER_MAX + 1], struct err *e)
{
	*u = (struct users){ .lock = -1 };
	if (full_name(in, given, name, USER_MAX + 1, e) < 0 || users_open(in, u, e) < 0)
		return -1;
	bool have = users_have(u, name);
	if (have && !exists)
		return err_set(e, ERR_PERM,
		        "user %s exists: change the password with `merpati user passwd`", name);
	return have || !exists ? 0 : err_set(e, ERR_PERM, "there is no user %s", name);
}

int user_add(struct instance *in, const char *given, struct err *e)
{
	struct users u;
	char name[USER_MAX + 1];
	int rc = users_begin(in, given, false, &u, name, e);
	if (rc == 0)
		rc = change(in, &u, name, true, e);
	if (rc == 0)
		printf("added %s\n", name);
	if (rc == 0 && in->uid != 0) /* under the lock: of two first users one becomes postmaster */
		rc = postmaster_default(in, name, e);
	users_close(&u);
	return rc;
}

int user_passwd(struct instance *in, const char *given, struct err *e)
{
	struct users u;
	char name[USER_MAX + 1];
	int rc = users_begin(in, given, true, &u, name, e);
	if (rc == 0)
		rc = change(in, &u, name, false, e);
	users_close(&u);
	return rc;
}

int user_del(struct instance *in, const char *given, struct err *e)
{
	struct users u;
	char name[USER_MAX + 1];
	int rc = users_begin(in, given, true, &u, name, e);
	if (rc == 0) {
		struct buf text;
		buf_init(&text, USERS_MAX);
		users_edit(&u, name, NULL, &text);
		rc = users_replace(in, &u, buf_sv(&text), e);
		buf_free(&text);
	}
	users_close(&u);
	if (rc == 0 && in->uid == 0) {
		printf("removed %s; the account of the system and its mail stay\n", name);
	} else if (rc == 0) {
		struct sv domain = sv_z(name), local = sv_take_until(&domain, '@');
		printf("removed %s; the mail stays in %s/mail/%.*s/%.*s\n", name, in->dir,
		        SV_ARG(domain), SV_ARG(local));
	}
	return rc;
}

int user_list(struct instance *in, struct err *e)
{
	struct users u = { .lock = -1 };
	int rc = users_open(in, &u, e);
	struct sv rest = buf_sv(&u.text), line;
	while (rc == 0 && sv_take_line(&rest, &line)) {
		struct sv name = line_name(line);
		if (!sv_empty(name))
			printf("%.*s\n", SV_ARG(name));
	}
	users_close(&u);
	return rc;
}
