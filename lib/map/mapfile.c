/*
 * lib/map/mapfile.c - build the new table beside the old one, then rename it over.
 *
 *   begin   lock the old file (so that two changes do not lose one another), create the new one
 *   put/del on the new file only
 *   commit  flush, sync, owner and mode, rename, sync the directory
 */
#include "lib/map/mapfile.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define CREATE_CACHE (16u << 20)

struct mapfile {
	char *source, *path, *tmp;
	struct mapfile_options opt;
	DB *db;
	int lock; /* the old table, -1: there is none */
	bool have_source;
	struct stat st; /* of the source, or else of the old table */
};

static int db_fail(const struct mapfile *m, int rc, const char *what, struct err *e)
{
	return err_set(e, ERR_TEMP, "%s %s: %s", what, m->path, db_strerror(rc));
}

static char *with_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name) + strlen(suffix) + 1;
	char *z = mem_alloc(n);
	snprintf(z, n, "%s%s", name, suffix);
	return z;
}

/* Hold the old table's lock; when it was replaced while we waited, take the new one's. */
static int lock_old(struct mapfile *m, struct err *e)
{
	for (int tries = 0; tries < 20; tries++) {
		struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		struct stat mine, now;
		m->lock = sys_open(m->path, O_RDWR | O_NOFOLLOW, 0);
		if (m->lock < 0)
			return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", m->path);
		if (fcntl(m->lock, F_OFD_SETLKW, &whole) < 0 || sys_fstat(m->lock, &mine) < 0)
			return err_sys(e, errno, "lock %s", m->path);
		if (stat(m->path, &now) == 0 && now.st_ino == mine.st_ino &&
		    now.st_dev == mine.st_dev) {
			if (!m->have_source)
				m->st = now;
			return 0;
		}
		sys_close(m->lock);
		m->lock = -1;
	}
	return err_set(e, ERR_TEMP, "%s: others replace it again and again", m->path);
}

static int look_at_source(struct mapfile *m, struct err *e)
{
	if (stat(m->source, &m->st) == 0) {
		m->have_source = true;
		return 0;
	}
	if (m->opt.no_source && errno == ENOENT) {
		m->st = (struct stat){ .st_uid = geteuid(), .st_gid = getegid(), .st_mode = 0644 };
		return 0;
	}
	return err_sys(e, errno, "open %s", m->source);
}

static int create_new(struct mapfile *m, DBTYPE type, struct err *e)
{
	char suffix[64];
	snprintf(suffix, sizeof(suffix), ".new%016llx", (unsigned long long)rand_u64());
	m->tmp = with_suffix(m->path, suffix);
	int rc = db_create(&m->db, NULL, 0);
	if (rc != 0) {
		m->db = NULL;
		return db_fail(m, rc, "create", e);
	}
	m->db->set_errfile(m->db, NULL);
	rc = m->db->set_cachesize(m->db, 0, CREATE_CACHE, 1);
	if (rc == 0)
		rc = m->db->open(m->db, NULL, m->tmp, NULL, type, DB_CREATE | DB_EXCL, 0600);
	return rc == 0 ? 0 : db_fail(m, rc, "create", e);
}

static int put_raw(struct mapfile *m, DBT *k, DBT *v, bool replace)
{
	return m->db->put(m->db, NULL, k, v, replace ? 0 : DB_NOOVERWRITE);
}

static int copy_entries(struct mapfile *m, DB *old)
{
	DBC *c;
	DBT k = { 0 }, v = { 0 };
	int rc = old->cursor(old, NULL, &c, 0);
	if (rc != 0)
		return rc;
	while ((rc = c->get(c, &k, &v, DB_NEXT)) == 0 && (rc = put_raw(m, &k, &v, true)) == 0)
		continue;
	c->close(c);
	return rc == DB_NOTFOUND ? 0 : rc;
}

static int copy_old(struct mapfile *m, struct err *e)
{
	DB *old;
	if (m->lock < 0)
		return 0;
	int rc = db_create(&old, NULL, 0);
	if (rc != 0)
		return db_fail(m, rc, "open", e);
	old->set_errfile(old, NULL);
	rc = old->open(old, NULL, m->path, NULL, DB_UNKNOWN, DB_RDONLY, 0);
	if (rc == 0)
		rc = copy_entries(m, old);
	old->close(old, DB_NOSYNC);
	return rc == 0 ? 0 : db_fail(m, rc, "read", e);
}

int mapfile_begin(const char *spec, const struct mapfile_options *opt, struct mapfile **out,
		  struct err *e)
{
	DBTYPE type;
	const char *name = strchr(spec, ':');
	if (name && strncmp(spec, "hash:", 5) == 0)
		type = DB_HASH;
	else if (name && strncmp(spec, "btree:", 6) == 0)
		type = DB_BTREE;
	else
		return err_set(e, ERR_CONFIG, "unsupported map type for this operation: %.*s",
			       name ? (int)(name - spec) : 200, spec);
	struct mapfile *m = mem_alloc(sizeof(*m));
	m->opt = *opt;
	m->lock = -1;
	m->source = mem_strdup(name + 1);
	m->path = with_suffix(name + 1, ".db");
	if (look_at_source(m, e) < 0 || lock_old(m, e) < 0 || create_new(m, type, e) < 0 ||
	    (opt->keep_old && copy_old(m, e) < 0)) {
		mapfile_abort(m);
		return -1;
	}
	*out = m;
	return 0;
}

const char *mapfile_path(const struct mapfile *m)
{
	return m->path;
}

/* Key or value as it is stored: with a NUL at its end unless told otherwise. */
static void as_stored(const struct mapfile *m, struct sv s, bool fold, struct buf *out, DBT *d)
{
	buf_init(out, MAP_VALUE_MAX + 2);
	for (size_t i = 0; i < s.len; i++)
		buf_putc(out, fold ? ascii_lower(s.p[i]) : s.p[i]);
	if (m->opt.null_terminated >= 0)
		buf_putc(out, '\0');
	*d = (DBT){ .data = out->p, .size = (u_int32_t)out->len };
}

int mapfile_put(struct mapfile *m, struct sv key, struct sv value, enum mapfile_dup dup,
		struct err *e)
{
	struct buf k, v;
	DBT dk, dv;
	if (key.len == 0 || key.len > MAP_KEY_MAX || value.len > MAP_VALUE_MAX)
		return err_set(e, ERR_CONFIG, "a key or value is empty or too long: \"%.*s\"",
			       SV_ARG(sv_upto(key, 100)));
	as_stored(m, key, !m->opt.no_fold, &k, &dk);
	as_stored(m, value, false, &v, &dv);
	int rc = put_raw(m, &dk, &dv, false);
	int result = 1;
	if (rc == DB_KEYEXIST) {
		result = 0;
		rc = dup == MAPFILE_DUP_REPLACE ? put_raw(m, &dk, &dv, true) : 0;
	}
	if (rc != 0)
		result = db_fail(m, rc, "write", e);
	else if (result == 0 && dup == MAPFILE_DUP_FAIL)
		result = err_set(e, ERR_CONFIG, "%s: duplicate entry: \"%.*s\"", m->path,
				 SV_ARG(key));
	buf_free(&k);
	buf_free(&v);
	return result;
}

void mapfile_exact_keys(struct mapfile *m, bool exact)
{
	m->opt.no_fold = exact;
}

int mapfile_del(struct mapfile *m, struct sv key, struct err *e)
{
	struct buf k;
	DBT dk;
	if (key.len > MAP_KEY_MAX)
		return 0;
	as_stored(m, key, !m->opt.no_fold, &k, &dk);
	int rc = m->db->del(m->db, NULL, &dk, 0);
	if (rc == DB_NOTFOUND && dk.size > 0) {
		dk.size--; /* stored without NUL */
		rc = m->db->del(m->db, NULL, &dk, 0);
	}
	buf_free(&k);
	if (rc == DB_NOTFOUND)
		return 0;
	return rc == 0 ? 1 : db_fail(m, rc, "write", e);
}

static int set_owner_and_mode(struct mapfile *m, int fd, struct err *e)
{
	struct stat now;
	mode_t mode = m->opt.default_mode ? 0644 : m->st.st_mode & 0666;
	if (sys_fstat(fd, &now) < 0)
		return err_sys(e, errno, "stat %s", m->tmp);
	if (!m->opt.root_owned && (now.st_uid != m->st.st_uid || now.st_gid != m->st.st_gid) &&
	    fchown(fd, m->st.st_uid, m->st.st_gid) < 0 && geteuid() == 0)
		return err_sys(e, errno, "chown %s", m->tmp);
	if (sys_fchmod(fd, mode) < 0)
		return err_sys(e, errno, "chmod %s", m->tmp);
	return sys_fsync(fd) < 0 ? err_sys(e, errno, "sync %s", m->tmp) : 0;
}

static int sync_directory(struct mapfile *m, struct err *e)
{
	char *copy = mem_strdup(m->path);
	int fd = sys_open(dirname(copy), O_RDONLY | O_DIRECTORY, 0);
	int rc = fd < 0 || sys_fsync(fd) < 0 ? err_sys(e, errno, "sync the directory of %s", m->path)
					     : 0;
	if (fd >= 0)
		sys_close(fd);
	free(copy);
	return rc;
}

int mapfile_commit(struct mapfile *m, struct err *e)
{
	int rc = m->db->close(m->db, 0); /* writes everything */
	m->db = NULL;
	if (rc != 0) {
		rc = db_fail(m, rc, "write", e);
		mapfile_abort(m);
		return rc;
	}
	int fd = sys_open(m->tmp, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		rc = err_sys(e, errno, "open %s", m->tmp);
	else
		rc = set_owner_and_mode(m, fd, e);
	if (fd >= 0)
		sys_close(fd);
	if (rc == 0 && sys_rename(m->tmp, m->path) < 0)
		rc = err_sys(e, errno, "rename %s to %s", m->tmp, m->path);
	if (rc == 0)
		rc = sync_directory(m, e);
	mapfile_abort(m);
	return rc;
}

void mapfile_abort(struct mapfile *m)
{
	if (!m)
		return;
	if (m->db)
		m->db->close(m->db, DB_NOSYNC);
	if (m->tmp)
		sys_unlink(m->tmp); /* after a rename there is nothing under that name */
	if (m->lock >= 0)
		sys_close(m->lock);
	free(m->source);
	free(m->path);
	free(m->tmp);
	free(m);
}
