/* Owners and modes: of a private instance by what each file must not be, of a system instance by its layout. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "admin/merpati/check.h"
#include "lib/queue/queue_dir.h"
#include "lib/server/layout.h"

enum need { MUST_EXIST = 1, FOLDER = 2, OWNED = 4, SECRET = 8, NOT_WRITABLE = 16 };

static void check_mode(struct check *c, const char *path, mode_t mode, unsigned need)
{
	mode_t own = (need & FOLDER) ? 0700 : 0600;
	if ((need & OWNED) && (mode & own) != own)
		check_finding(c, true, "%s is closed to its owner (mode %04o): chmod u+%s %s", path,
		        (unsigned)mode, (need & FOLDER) ? "rwx" : "rw", path);
	if ((need & SECRET) && (mode & 077))
		check_finding(c, true, "%s is open to others (mode %04o): chmod go= %s", path, (unsigned)mode,
		        path);
	else if ((need & NOT_WRITABLE) && (mode & 022))
		check_finding(c, true, "%s may be written by others (mode %04o): chmod go-w %s", path,
		        (unsigned)mode, path);
}

static void check_path(struct check *c, const char *path, unsigned need)
{
	struct stat st;
	if (lstat(path, &st) < 0) {
		if (errno != ENOENT || (need & MUST_EXIST))
			check_finding(c, true, "%s: %s", path, strerror(errno));
		return;
	}
	if ((need & FOLDER) ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		check_finding(
		        c, true, "%s is not a %s", path, (need & FOLDER) ? "folder" : "plain file");
	if ((need & OWNED) && st.st_uid != c->owner)
		check_finding(c, true,
		        "%s belongs to uid %u, not to the owner of the instance: chown %u %s", path,
		        (unsigned)st.st_uid, (unsigned)c->owner, path);
	else if (st.st_uid != c->owner && st.st_uid != 0)
		check_finding(c, true, "%s belongs to uid %u: neither root nor the owner: chown %u %s", path,
		        (unsigned)st.st_uid, (unsigned)c->owner, path);
	check_mode(c, path, st.st_mode & 07777, need);
}

static void check_below(struct check *c, const char *dir, const char *name, unsigned need)
{
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		check_finding(c, true, "%s/%s: the path is too long", dir, name);
	else
		check_path(c, path, need);
}

/* --- the queue --------------------------------------------------------------------------------- */

#define FILES_NAMED 20 /* of one directory: after that the rest is counted */

/* Mail that its daemons cannot read waits for ever. In maildrop/ it may be anybody's. */
static void check_mails(struct check *c, const char *dir)
{
	char path[4096];
	struct stat st;
	unsigned found = 0;
	DIR *d = opendir(dir);
	if (!d)
		return; /* absent, or named above */
	for (struct dirent *en; (en = readdir(d));) {
		if (en->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", dir, en->d_name) >= (int)sizeof path)
			continue;
		if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_uid == c->owner && !(st.st_mode & 077)))
			continue;
		if (found++ < FILES_NAMED)
			check_path(c, path, OWNED | SECRET);
	}
	closedir(d);
	if (found > FILES_NAMED)
		check_finding(c, true, "%s: %u more files are like these", dir, found - FILES_NAMED);
}

/* The hashed directories of a queue, and what is in them. */
static void check_queue(struct check *c, const char *name)
{
	char path[4096], below[4200];
	if (snprintf(path, sizeof path, "%s/%s", c->in->core.queue_directory, name) >=
	        (int)sizeof path)
		return;
	DIR *dir = opendir(path);
	if (!dir)
		return; /* absent, or named above */
	for (struct dirent *d; (d = readdir(dir));) {
		if (strlen(d->d_name) != 1 || d->d_name[0] == '.')
			continue;
		check_below(c, path, d->d_name, FOLDER | OWNED | SECRET);
		snprintf(below, sizeof below, "%s/%s", path, d->d_name);
		check_mails(c, below);
	}
	closedir(dir);
}

static void check_queues(struct check *c)
{
	for (int q = 0; q < QUEUE_DIR_COUNT; q++)
		check_queue(c, queue_dir_name((enum queue_name)q));
}

/* --- a private instance ------------------------------------------------------------------------ */

static void check_private(struct check *c)
{
	static const struct {
		const char *name;
		unsigned need;
	} config_files[] = {
		{ "main.cf", MUST_EXIST | NOT_WRITABLE }, { "master.cf", MUST_EXIST | NOT_WRITABLE },
		{ "aliases", NOT_WRITABLE },              { "users", OWNED | SECRET },
		{ "tls", FOLDER | OWNED | SECRET },       { "mail", FOLDER | OWNED | SECRET },
	}, spool_files[] = {
		{ "pid", FOLDER | OWNED | NOT_WRITABLE },    { "public", FOLDER | OWNED | NOT_WRITABLE },
		{ "private", FOLDER | OWNED | SECRET },
	};
	const char *spool = c->in->core.queue_directory;
	check_path(c, c->in->dir, MUST_EXIST | FOLDER | NOT_WRITABLE);
	for (size_t i = 0; i < ARRAY_LEN(config_files); i++)
		check_below(c, c->in->dir, config_files[i].name, config_files[i].need);
	check_path(c, spool, MUST_EXIST | FOLDER | OWNED | NOT_WRITABLE);
	for (size_t i = 0; i < ARRAY_LEN(spool_files); i++)
		check_below(c, spool, spool_files[i].name, spool_files[i].need);
	for (int q = 0; q < QUEUE_DIR_COUNT; q++)
		check_below(c, spool, queue_dir_name((enum queue_name)q), FOLDER | OWNED | SECRET);
	check_queues(c);
}

/* --- a system instance ------------------------------------------------------------------------- */

/* postlogd is mail_owner's: it must be able to write the file, or to make it. */
static void check_log(struct check *c, const struct layout *l)
{
	const char *file = c->in->core.maillog_file;
	const struct rights_ids *mail = &l->own.ids[RIGHTS_MAIL];
	struct stat st, dir;
	if (!l->log_dir)
		return;
	bool there = lstat(file, &st) == 0;
	if (there && (!S_ISREG(st.st_mode) || st.st_uid != mail->uid || st.st_nlink != 1))
		check_finding(c, true, "%s must be a plain file of %s with one name: chown %s: %s", file, mail->name,
		        mail->name, file);
	if (!there && lstat(l->log_dir, &dir) == 0 && dir.st_uid != mail->uid)
		check_finding(c, true,
		        "maillog_file = %s: %s cannot make it in %s, which belongs to uid %u: choose a directory of "
		        "its own, such as /var/log/merpati",
		        file, mail->name, l->log_dir, (unsigned)dir.st_uid);
}

static void check_system(struct check *c)
{
	struct layout l;
	struct layout_item it;
	struct err e = ERR_INIT;
	if (layout_open(&l, c->in->dir, &c->in->core, &e) < 0) {
		check_finding(c, true, "%s", e.text);
		return;
	}
	for (size_t i = 0; layout_item(&l, i, &it); i++) {
		struct buf finding;
		buf_init(&finding, 16384);
		int rc = layout_look(&it, &finding);
		if (rc == 0)
			check_finding(c, true, "%s is missing: run `merpati init --system`", it.path);
		else if (rc < 0)
			check_finding(c, true, "%s", buf_z(&finding));
		buf_free(&finding);
	}
	check_log(c, &l);
	c->owner = l.own.ids[RIGHTS_MAIL].uid;
	check_queues(c);
	c->owner = c->in->uid;
	layout_close(&l);
}

void check_files(struct check *c)
{
	if (c->in->uid == 0)
		check_system(c);
	else
		check_private(c);
	check_path(c, c->in->core.daemon_directory, MUST_EXIST | FOLDER | NOT_WRITABLE);
}
