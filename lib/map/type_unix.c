/* lib/map/type_unix.c - unix:passwd.byname and unix:group.byname, by the name service. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "lib/map/table.h"
#include "lib/sys/name_service.h"

#define ANSWER_MAX (1u << 20) /* a group may have many members */

static int open_unix(struct map *m, struct err *e)
{
	if (strcmp(m->name, "passwd.byname") != 0 && strcmp(m->name, "group.byname") != 0)
		return err_set(e, ERR_CONFIG, "only passwd.byname and group.byname exist");
	m->impl = mem_strdup(m->name);
	return 0;
}

static void close_unix(struct map *m)
{
	free(m->impl);
}

/* 0, or an errno; ERANGE asks for more room. */
static int try_passwd(const char *name, char *room, size_t size, struct buf *value, bool *found)
{
	struct passwd pw, *p = NULL;
	int rc = getpwnam_r(name, &pw, room, size, &p);
	*found = p != NULL;
	if (p)
		buf_printf(value, "%s:%s:%u:%u:%s:%s:%s", p->pw_name, p->pw_passwd, p->pw_uid,
			   p->pw_gid, p->pw_gecos, p->pw_dir, p->pw_shell);
	return p ? 0 : rc;
}

static int try_group(const char *name, char *room, size_t size, struct buf *value, bool *found)
{
	struct group gr, *g = NULL;
	int rc = getgrnam_r(name, &gr, room, size, &g);
	*found = g != NULL;
	if (!g)
		return rc;
	buf_printf(value, "%s:%s:%u:", g->gr_name, g->gr_passwd, g->gr_gid);
	for (char **member = g->gr_mem; *member; member++)
		buf_printf(value, "%s%s", member == g->gr_mem ? "" : ",", *member);
	return 0;
}

static int lookup_unix(struct map *m, struct sv key, struct buf *value, struct err *e)
{
	char name[256];
	bool found = false;
	int rc;
	/* no account is called so */
	if (sv_copyz(key, name, sizeof(name)) < 0)
		return 0;
	size_t size = 1024;
	char *room = NULL;
	do {
		size *= 4;
		room = mem_realloc(room, size);
		errno = EIO; /* of a source that fails without a word */
		rc = strcmp(m->name, "passwd.byname") == 0
			     ? try_passwd(name, room, size, value, &found)
			     : try_group(name, room, size, value, &found);
	} while (rc == ERANGE && size < ANSWER_MAX);
	free(room);
	/* "no such name" is 0; whatever a source says by an error, ENOENT of a missing file among it, is trouble */
	if (rc != 0)
		return err_sys(e, rc, "look up %s", name);
	return found ? 1 : name_service_whole(e);
}

const struct map_ops map_unix_ops = {
	.type = "unix", .may_hang = true, .open = open_unix, .lookup = lookup_unix,
	.close = close_unix,
};
