#include "auth/auth_dir.h"

#include "auth/auth_location.h"

#include <errno.h>

#include "auth/auth_users.h"
#include "lib/base/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define COMPLAIN_EVERY_MS 60000
#define BAD_LINES_LOGGED  20 /* for each version of the file */
#define SETTLE_MS         2000

#define LOCATION_MAX 8192

struct auth_dir {
	char *path;
	char *home_base;
	char *mailbox; /* below a home, without the '/' at its end */
	char *spool;   /* NULL: not there but below homes; without the '/' at its end */
	bool maildir;  /* that one is a Maildir */
	char *location; /* NULL: what home_mailbox means */
	struct auth_users *users;
	struct stat seen; /* of the version that is loaded */
	bool loaded;
	int64_t complain_after;
	int64_t settled_at; /* the file was changed in place: before that it may not be whole */
	unsigned bad;
};

/* Without the slashes at its end; they say that it is a Maildir. */
static char *cut_slashes(struct sv name, bool *maildir)
{
	*maildir = sv_ends(name, SV("/"));
	while (name.len > 1 && sv_ends(name, SV("/")))
		name = sv_upto(name, name.len - 1);
	return mem_svdup(name);
}

struct auth_dir *auth_dir_new(const char *path, const char *home_base, const struct auth_where *where)
{
	struct auth_dir *d = mem_alloc(sizeof(*d));
	bool at_home = where->home_mailbox && *where->home_mailbox;

	d->path = mem_strdup(path);
	d->home_base = mem_strdup(home_base);
	if (where->mail_location && *where->mail_location)
		d->location = mem_strdup(where->mail_location);
	if (!at_home && where->mail_spool_directory && *where->mail_spool_directory)
		d->spool = cut_slashes(sv_z(where->mail_spool_directory), &d->maildir);
	else
		d->mailbox = cut_slashes(at_home ? sv_z(where->home_mailbox) : SV("Maildir/"), &d->maildir);
	return d;
}

void auth_dir_free(struct auth_dir *d)
{
	if (!d)
		return;
	auth_users_free(d->users);
	free(d->path);
	free(d->home_base);
	free(d->mailbox);
	free(d->spool);
	free(d->location);
	free(d);
}

static void bad_line(void *arg, unsigned line, const char *why)
{
	struct auth_dir *d = arg;

	if (d->bad++ < BAD_LINES_LOGGED)
		log_warn("%s, line %u: %s; the line is ignored", d->path, line, why);
}

/* A file that was changed in place within the clock's grain keeps its mtime but not its ctime+size.
 */
static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int read_file(struct auth_dir *d, struct buf *text, struct stat *st, struct err *e)
{
	int fd = sys_open(d->path, O_RDONLY | O_NOCTTY, 0);

	if (fd < 0)
		return err_sys(e, errno, "open users file %s", d->path);
	int rc = -1;

	if (sys_fstat(fd, st) < 0) {
		err_sys(e, errno, "stat users file %s", d->path);
	} else if (!S_ISREG(st->st_mode)) {
		err_set(e, ERR_CONFIG, "users file %s is not a regular file", d->path);
	} else if (st->st_size > (off_t)AUTH_USERS_FILE_MAX) {
		err_set(e, ERR_CONFIG, "users file %s is larger than %u octets", d->path,
		        AUTH_USERS_FILE_MAX);
	} else {
		size_t size = (size_t)st->st_size;
		char *room = buf_room(text, size + 1);

		rc = room && sys_pread_all(fd, room, size, 0) == 0 ? 0 : -1;
		if (rc < 0)
			err_sys(e, errno, "read users file %s", d->path);
		else
			buf_added(text, size);
	}
	sys_close(fd);
	return rc;
}

static int load(struct auth_dir *d, struct err *e)
{
	struct hash_seed seed = { rand_u64(), rand_u64() };
	struct buf text;
	struct stat st;

	buf_init(&text, AUTH_USERS_FILE_MAX + 2);
	if (read_file(d, &text, &st, e) < 0) {
		buf_free(&text);
		return -1;
	}
	d->bad = 0;
	struct auth_users *u = auth_users_parse(buf_sv(&text), d->home_base, seed, bad_line, d);

	if (d->bad > BAD_LINES_LOGGED)
		log_warn("%s: %u more lines are ignored", d->path, d->bad - BAD_LINES_LOGGED);
	if (auth_users_nameless(u) > 0)
		log_warn("%s: until line %u is repaired, mail for names that are not found waits", d->path,
		        auth_users_nameless(u));
	/* what the buffer held are hashes, not passwords, but they need not stay either */
	explicit_bzero(text.p, text.cap);
	buf_free(&text);
	/* an editor that writes in place shows a file that is not whole for a moment */
	if (d->users && st.st_ino == d->seen.st_ino && st.st_dev == d->seen.st_dev)
		d->settled_at = clock_mono_ms() + SETTLE_MS;
	auth_users_free(d->users);
	d->users = u;
	d->seen = st;
	d->loaded = true;
	return 0;
}

static int refresh(struct auth_dir *d, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (sys_fstatat(AT_FDCWD, d->path, &st, 0) < 0)
		rc = err_sys(e, errno, "users file %s", d->path);
	else if (!d->loaded || !same_file(&st, &d->seen))
		rc = load(d, e);
	if (rc == 0) {
		d->complain_after = 0;
		return 0;
	}
	d->loaded = false;
	if (clock_mono_ms() >= d->complain_after) {
		log_error("%s: mail and sign-in wait until it can be read", e->text);
		d->complain_after = clock_mono_ms() + COMPLAIN_EVERY_MS;
	}
	return -1;
}

/* The name to look for: see auth_dir.h about LOOSE. */
static struct sv effective(const struct auth_dir *d, struct sv name, bool loose)
{
	ptrdiff_t at = sv_rchr(name, '@');

	if (!loose || at < 0 || auth_users_has_domain(d->users, sv_from(name, (size_t)at + 1)))
		return name;
	return sv_upto(name, (size_t)at);
}

/* NAME is not in the file. 0 there is no such user; -1 that cannot be said: mail must not bounce. */
static int not_found(const struct auth_dir *d, struct sv name, struct err *e)
{
	unsigned line = auth_users_nameless(d->users);
	if (line > 0)
		return err_set(e, ERR_CONFIG, "%s, line %u: cannot be read, and may be that of %.*s",
		        d->path, line, SV_ARG(sv_upto(name, 200)));
	if (clock_mono_ms() < d->settled_at)
		return err_set(e, ERR_TEMP, "%s is being written: %.*s is not in it yet, or no more",
		        d->path, SV_ARG(sv_upto(name, 200)));
	return 0;
}

/* mail_spool_directory/NAME: the account's name, which must be the name of a file. */
static int in_spool(const struct auth_dir *d, struct sv user, struct sv home, struct buf *out, struct err *e)
{
	char text[LOCATION_MAX];
	int n = snprintf(text, sizeof(text), d->maildir ? "maildir:%s/%%u" : "mbox:%%h/mail:INBOX=%s/%%u", d->spool);

	if (n < 0 || (size_t)n >= sizeof(text) || strchr(d->spool, '%'))
		return err_set(e, ERR_CONFIG, "mail_spool_directory = %s: too long, or with a '%%' in it", d->spool);
	return auth_location_expand(out, sv_z(text), user, home, e);
}

int auth_dir_mail(const struct auth_dir *d, struct sv user, struct sv home, struct arena *a, struct sv *out,
        struct err *e)
{
	struct buf mail;
	int rc = 1;

	buf_init(&mail, LOCATION_MAX);
	if (d->location)
		rc = auth_location_expand(&mail, sv_z(d->location), user, home, e);
	else if (d->spool)
		rc = in_spool(d, user, home, &mail, e);
	else if (d->maildir)
		(void)buf_printf(&mail, "maildir:%.*s/%s", SV_ARG(home), d->mailbox);
	else
		(void)buf_printf(&mail, "mbox:%.*s/mail:INBOX=%.*s/%s", SV_ARG(home), SV_ARG(home), d->mailbox);
	if (rc == 1)
		*out = arena_sv(a, buf_sv(&mail));
	if (rc == 1 && (mail.overflow || a->exhausted))
		rc = err_set(e, ERR_TEMP, "out of memory for one request");
	buf_free(&mail);
	return rc;
}

static int copy_out(const struct auth_dir *d, const struct auth_user *u, struct arena *a,
        struct auth_account *out, struct err *e)
{
	*out = (struct auth_account){
		.name = arena_sv(a, u->name),
		.hash = arena_sv(a, sv_z(u->hash)),
		.uid = u->uid,
		.gid = u->gid,
		.home = arena_sv(a, u->home),
		.shell = arena_sv(a, u->shell),
	};
	return auth_dir_mail(d, u->name, u->home, a, &out->mail, e);
}

int auth_dir_find(struct auth_dir *d, struct sv name, bool loose, struct arena *a,
        struct auth_account *out, struct err *e)
{
	const struct auth_user *u;

	if (refresh(d, e) < 0)
		return -1;
	if (!auth_users_find(d->users, effective(d, name, loose), &u))
		return loose ? not_found(d, name, e) : 0;
	if (u->broken)
		return err_set(e, ERR_CONFIG, "%s, line %u: the line of this user cannot be read",
		        d->path, u->line);
	return copy_out(d, u, a, out, e);
}

int auth_dir_find_uid(
        struct auth_dir *d, uid_t uid, struct arena *a, struct auth_account *out, struct err *e)
{
	if (refresh(d, e) < 0)
		return -1;
	const struct auth_user *u = auth_users_by_uid(d->users, uid);

	return u ? copy_out(d, u, a, out, e) : 0;
}

struct sv auth_dir_dummy(const struct auth_dir *d)
{
	return sv_z(auth_users_dummy(d->users));
}
