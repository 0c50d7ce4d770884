#include "lib/map/map.h"

#include <errno.h>

#include "lib/config/file.h"
#include "lib/map/split.h"
#include "lib/map/table.h"
#include "lib/sys/sys.h"

static const struct map_ops *const types[] = {
	&map_btree_ops,  &map_cidr_ops,   &map_fail_ops,     &map_hash_ops, &map_inline_ops,
	&map_regexp_ops, &map_static_ops, &map_texthash_ops, &map_unix_ops,
};

const char *map_type_name(size_t i)
{
	static const char *const names[] = { "btree",  "cidr",   "fail",   "hash",     "inline",
					     "proxy",  "regexp", "static", "texthash", "unix" };
	return i < ARRAY_LEN(names) ? names[i] : NULL;
}

struct map *map_open(const char *spec, unsigned flags)
{
	struct map *m = mem_alloc(sizeof(*m));
	m->held = -1;
	while (strncmp(spec, "proxy:", 6) == 0)
		spec += 6;
	m->spec = mem_strdup(spec);
	m->flags = flags;
	pthread_mutex_init(&m->lock, NULL);
	const char *colon = strchr(m->spec, ':');
	if (!colon)
		return m;
	m->name = colon + 1;
	struct sv type = sv_n(m->spec, (size_t)(colon - m->spec));
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (sv_eqz(type, types[i]->type))
			m->ops = types[i];
	/* "regexp:{...}" holds its own text */
	if (m->ops && m->ops->suffix && m->name[0] != '{') {
		size_t n = strlen(m->name) + strlen(m->ops->suffix) + 1;
		m->path = mem_alloc(n);
		snprintf(m->path, n, "%s%s", m->name, m->ops->suffix);
	}
	return m;
}

static void close_table(struct map *m)
{
	if (m->impl)
		m->ops->close(m);
	m->impl = NULL;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	close_table(m);
	if (m->held >= 0)
		sys_close(m->held);
	pthread_mutex_destroy(&m->lock);
	free(m->path);
	free(m->spec);
	free(m);
}

const char *map_spec(const struct map *m)
{
	return m->spec;
}

const char *map_file(const struct map *m)
{
	return m->path;
}

bool map_is_pure(const struct map *m)
{
	return m->ops && m->ops->pure;
}

bool map_is_pattern(const struct map *m)
{
	return m->ops && m->ops->pattern;
}

bool map_may_hang(const struct map *m)
{
	return m->ops && m->ops->may_hang;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int unknown_type(const struct map *m, struct err *e)
{
	if (!m->name)
		return err_set(e, ERR_CONFIG, "%s: not a table (type:name is wanted)", m->spec);
	return err_set(e, ERR_CONFIG, "%s: unsupported table type", m->spec);
}

/* The file of a held table is another one now. Where its directory may not be looked into, what is seen is that
 * nobody calls the old file by a name any more, or that it was changed in place. */
static bool was_replaced(const struct map *m)
{
	struct stat now;
	if (stat(m->path, &now) == 0)
		return !same_file(&now, &m->seen);
	return errno != EACCES || fstat(m->held, &now) < 0 || now.st_nlink == 0 || !same_file(&now, &m->seen);
}

static int ensure_open(struct map *m, struct err *e);

/* A held table: as it is while its file stays, else opened with what rights there are now. */
static int ensure_held(struct map *m, struct err *e)
{
	if (m->impl && !was_replaced(m))
		return 0;
	struct err why = ERR_INIT;
	int held = m->held;
	m->held = -1;
	int rc = ensure_open(m, &why);
	if (rc < 0 && e)
		*e = why;
	if (rc == 0 || why.sys_errno != EACCES) {
		sys_close(held);
		return rc;
	}
	m->held = held; /* it stays stale */
	m->stale = true;
	return rc;
}

/*
 * Open what is not open; close and open again what was replaced. A file that is gone makes the
 * table fail: an answer from it could be wrong by now. Pure tables stay as they are once open:
 * inside a jail their file is out of reach.
 */
static int ensure_open(struct map *m, struct err *e)
{
	struct stat now;
	if (!m->ops)
		return unknown_type(m, e);
	if (m->impl && (!m->path || m->ops->pure))
		return 0;
	if (m->held >= 0)
		return ensure_held(m, e);
	if (m->path) {
		if (stat(m->path, &now) < 0) {
			int saved = errno;
			close_table(m);
			return err_sys(e, saved, "table %s: open %s", m->spec, m->path);
		}
		if (m->impl && same_file(&now, &m->seen))
			return 0;
		close_table(m);
		m->seen = now;
	}
	if (m->ops->open(m, e) < 0) {
		close_table(m);
		return err_prefix(e, "table %s", m->spec);
	}
	return 0;
}

int map_check(struct map *m, struct err *e)
{
	pthread_mutex_lock(&m->lock);
	int rc = ensure_open(m, e);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int map_hold(struct map *m, struct err *e)
{
	pthread_mutex_lock(&m->lock);
	int rc = ensure_open(m, e);
	if (rc == 0 && m->path && !m->ops->pure) {
		struct stat st;
		m->held = sys_open(m->path, O_PATH, 0);
		if (m->held < 0)
			rc = err_sys(e, errno, "table %s: open %s", m->spec, m->path);
		else if (fstat(m->held, &st) < 0 || !same_file(&st, &m->seen)) {
			/* replaced in between: the next look-up opens the new one */
			sys_close(m->held);
			m->held = -1;
		}
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

bool map_is_stale(struct map *m)
{
	pthread_mutex_lock(&m->lock);
	bool stale = m->stale;
	pthread_mutex_unlock(&m->lock);
	return stale;
}

static int lookup_open(struct map *m, struct sv key, struct buf *value, struct err *e)
{
	char folded[MAP_KEY_MAX];
	if (!m->ops->pattern && !(m->flags & MAP_NO_FOLD)) {
		for (size_t i = 0; i < key.len; i++)
			folded[i] = ascii_lower(key.p[i]);
		key.p = folded;
	}
	size_t start = value->len;
	int rc = m->ops->lookup(m, key, value, e);
	if (rc == 1 && value->overflow)
		rc = err_set(e, ERR_CONFIG, "the value is longer than %zu octets", value->max);
	if (rc < 1)
		buf_truncate(value, start);
	return rc < 0 ? err_prefix(e, "table %s", m->spec) : rc;
}

int map_lookup(struct map *m, struct sv key, struct buf *value, struct err *e)
{
	int rc;
	/* no table has such keys */
	if (key.len == 0 || key.len > MAP_KEY_MAX)
		return 0;
	pthread_mutex_lock(&m->lock);
	rc = ensure_open(m, e);
	if (rc == 0)
		rc = lookup_open(m, key, value, e);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int map_each(struct map *m, map_each_fn *fn, void *arg, struct err *e)
{
	pthread_mutex_lock(&m->lock);
	int rc = ensure_open(m, e);
	if (rc == 0 && !m->ops->each)
		rc = err_set(e, ERR_CONFIG, "table %s: its entries cannot be listed", m->spec);
	else if (rc == 0)
		rc = m->ops->each(m, fn, arg, e);
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int table_source(struct map *m, struct buf *out, struct err *e)
{
	struct split list;
	struct sv item;
	int rc;
	if (m->path)
		return file_read(m->path, out, e);
	split_init(&list, sv_z(m->name));
	if (split_braced(&list, e) < 0)
		return -1;
	while ((rc = split_next(&list, &item, e)) == 1) {
		buf_put_sv(out, split_unbrace(item));
		buf_putc(out, '\n');
	}
	if (rc == 0 && out->overflow)
		return err_set(e, ERR_CONFIG, "too long");
	return rc;
}
