#include "lib/server/layout.h"

#include <errno.h>
#include <grp.h>

#include "lib/sys/sys.h"

enum { ROOT = -1, DROP = -2 }; /* else enum rights_account */

static const struct {
	enum layout_part part;
	const char *path; /* below the part's directory; "": itself */
	int owner, group;
	mode_t mode;
	enum layout_kind kind;
} rows[] = {
	{ LAYOUT_CONFIG, "", ROOT, ROOT, 0755, LAYOUT_DIR },
	{ LAYOUT_CONFIG, "main.cf", ROOT, ROOT, 0644, LAYOUT_FILE },
	{ LAYOUT_CONFIG, "master.cf", ROOT, ROOT, 0644, LAYOUT_FILE },
	{ LAYOUT_CONFIG, "aliases", ROOT, ROOT, 0644, LAYOUT_OPTIONAL },
	{ LAYOUT_CONFIG, "aliases.db", ROOT, ROOT, 0644, LAYOUT_OPTIONAL },
	{ LAYOUT_CONFIG, "users", ROOT, RIGHTS_AUTH, 0640, LAYOUT_OPTIONAL },
	{ LAYOUT_DATA, "", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "", ROOT, ROOT, 0755, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "empty", ROOT, ROOT, 0555, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "pid", ROOT, ROOT, 0755, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "public", ROOT, ROOT, 0755, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "private", ROOT, ROOT, 0711, LAYOUT_DIR },
	/* master alone connects to what is in these; mail_owner's daemons to those in private/queue, too */
	{ LAYOUT_QUEUE, "private/net", ROOT, ROOT, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "private/out", ROOT, ROOT, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "private/auth", ROOT, ROOT, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "private/queue", ROOT, RIGHTS_MAIL, 0710, LAYOUT_DIR },
	/* postdrop may put files there and look at none */
	{ LAYOUT_QUEUE, "maildrop", RIGHTS_MAIL, DROP, 01730, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "incoming", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "active", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "deferred", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "hold", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "corrupt", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "bounce", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "defer", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "trace", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "done", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_QUEUE, "partial", RIGHTS_MAIL, RIGHTS_MAIL, 0700, LAYOUT_DIR },
	{ LAYOUT_PROGRAM, "postdrop", ROOT, DROP, 02755, LAYOUT_FILE },
	{ LAYOUT_LOG, "", RIGHTS_MAIL, RIGHTS_MAIL, 0750, LAYOUT_DIR },
};

#define PATH_ROOM 8192

/* postlogd makes the file itself: its directory must be mail_owner's, and for nothing but logs. */
static char *log_dir_of(const char *file)
{
	if (file[0] != '/' || sv_starts(sv_z(file), SV("/dev/")))
		return NULL;
	char *dir = mem_strdup(file);
	char *slash = strrchr(dir, '/');
	slash[slash == dir ? 1 : 0] = '\0';
	return dir;
}

int layout_open(struct layout *l, const char *config_dir, const struct params_core *core, struct err *e)
{
	memset(l, 0, sizeof(*l));
	if (rights_own(core->mail_owner, &l->own, e) < 0)
		return -1;
	const struct group *gr = getgrnam(core->setgid_group);
	if (!gr || gr->gr_gid == 0 || rights_refuse_gid(&l->own, gr->gr_gid))
		return err_set(e, ERR_CONFIG, "setgid_group = %s: %s", core->setgid_group,
			gr ? "must be a group that nothing else uses" : "there is no such group: run "
			"`merpati init --system`");
	l->drop = gr->gr_gid;
	snprintf(l->drop_name, sizeof(l->drop_name), "%s", core->setgid_group);
	l->log_dir = log_dir_of(core->maillog_file);
	l->bases[0] = config_dir;
	l->bases[1] = core->data_directory;
	l->bases[2] = core->queue_directory;
	l->bases[3] = core->command_directory;
	l->bases[4] = l->log_dir;
	l->paths = mem_alloc(PATH_ROOM);
	return 0;
}

void layout_close(struct layout *l)
{
	free(l->log_dir);
	free(l->paths);
	l->log_dir = l->paths = NULL;
}

static void owner_of(const struct layout *l, int who, uid_t *uid, const char **name)
{
	*uid = who == ROOT ? 0 : l->own.ids[who].uid;
	*name = who == ROOT ? "root" : l->own.ids[who].name;
}

static void group_of(const struct layout *l, int who, gid_t *gid, const char **name)
{
	*gid = who == ROOT ? 0 : who == DROP ? l->drop : l->own.ids[who].gid;
	*name = who == ROOT ? "root" : who == DROP ? l->drop_name : l->own.ids[who].name;
}

bool layout_item(struct layout *l, size_t i, struct layout_item *out)
{
	if (i >= ARRAY_LEN(rows))
		return false;
	const char *base = l->bases[__builtin_ctz((unsigned)rows[i].part)];
	snprintf(l->paths, PATH_ROOM, "%s%s%s", base ? base : "", rows[i].path[0] ? "/" : "", rows[i].path);
	*out = (struct layout_item){ .path = base ? l->paths : NULL, .part = rows[i].part, .kind = rows[i].kind,
		.mode = rows[i].mode };
	owner_of(l, rows[i].owner, &out->uid, &out->user);
	group_of(l, rows[i].group, &out->gid, &out->group);
	return true;
}

int layout_look(const struct layout_item *item, struct buf *finding)
{
	struct stat st;
	if (!item->path)
		return 1;
	if (lstat(item->path, &st) < 0) {
		if (errno == ENOENT)
			return item->kind == LAYOUT_OPTIONAL ? 1 : 0;
		buf_printf(finding, "%s: %s", item->path, strerror(errno));
		return -1;
	}
	bool dir = item->kind == LAYOUT_DIR;
	if (dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
		buf_printf(finding, "%s is not a %s: move it away, and run `merpati init --system`", item->path,
			dir ? "directory" : "plain file");
		return -1;
	}
	bool owner = st.st_uid == item->uid && st.st_gid == item->gid;
	if (item->part == LAYOUT_LOG) /* the admin may have chosen one that others use, too */
		return 1;
	if (owner && (st.st_mode & 07777) == item->mode)
		return 1;
	buf_printf(finding, "%s belongs to %u:%u and has mode %04o, not %s:%s (%u:%u) and %04o: ", item->path,
		(unsigned)st.st_uid, (unsigned)st.st_gid, (unsigned)(st.st_mode & 07777), item->user, item->group,
		(unsigned)item->uid, (unsigned)item->gid, (unsigned)item->mode);
	if (!owner)
		buf_printf(finding, "chown %s:%s %s", item->user, item->group, item->path);
	/* a change of the owner clears set-id bits */
	if ((st.st_mode & 07777) != item->mode || (!owner && (item->mode & 06000)))
		buf_printf(finding, "%schmod %04o %s", owner ? "" : " && ", (unsigned)item->mode, item->path);
	return -1;
}

static int sync_parent(const char *path, struct err *e)
{
	char parent[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	size_t n = slash && slash != path ? (size_t)(slash - path) : 1;
	snprintf(parent, sizeof(parent), "%.*s", (int)n, slash ? path : ".");
	int fd = sys_open(parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(e, errno, "open %s", parent);
	int rc = sys_fsync(fd) < 0 ? err_sys(e, errno, "fsync %s", parent) : 0;
	sys_close(fd);
	return rc;
}

int layout_make(const struct layout_item *item, struct err *e)
{
	if (item->kind != LAYOUT_DIR)
		return err_set(e, ERR_CONFIG, "%s is missing", item->path);
	/* root's until it is as it shall be: master may give files away, but not change those of others */
	if (sys_mkdir(item->path, 0700) < 0)
		return err_sys(e, errno, "make the directory %s", item->path);
	if (chmod(item->path, item->mode) < 0 || lchown(item->path, item->uid, item->gid) < 0) {
		err_sys(e, errno, "give %s to %s:%s", item->path, item->user, item->group);
		(void)rmdir(item->path);
		return -1;
	}
	return sync_parent(item->path, e);
}
