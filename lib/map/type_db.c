/*
 * lib/map/type_db.c - hash: and btree: tables, Berkeley DB files as Postfix's postmap makes them.
 *
 * Files are only ever replaced as a whole (mapfile.c), so readers need no lock; a file that another
 * program changes in place is noticed by its times and opened again. There is no libdb
 * environment: nothing is written beside the table. A key may have been stored with a NUL at its
 * end (Postfix's habit on Linux) or without: both are tried, what hit last first.
 */
#include <db.h>
#include <errno.h>

#include "lib/map/table.h"

#define READ_CACHE (128 * 1024)

#ifdef MERPATI_SANITIZED
/* libdb keeps what belongs to an open table behind offsets, which look like leaks to LeakSanitizer */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libdb-5.3.so\n";
}
#endif

struct db_table {
	DB *db;
	bool no_nul; /* keys have no NUL */
};

static int db_fail(struct err *e, int rc, const char *what, const char *path)
{
	err_set(e, ERR_TEMP, "%s %s: %s", what, path, db_strerror(rc));
	e->sys_errno = rc > 0 ? rc : 0; /* libdb's own are negative */
	return -1;
}

static int open_db(struct map *m, DBTYPE type, struct err *e)
{
	struct db_table *t = mem_alloc(sizeof(*t));
	m->impl = t;
	int rc = db_create(&t->db, NULL, 0);
	if (rc != 0) {
		t->db = NULL;
		return db_fail(e, rc, "create a handle for", m->path);
	}
	t->db->set_errfile(t->db, NULL);
	rc = t->db->set_cachesize(t->db, 0, READ_CACHE, 1);
	if (rc == 0)
		rc = t->db->open(t->db, NULL, m->path, NULL, type, DB_RDONLY, 0);
	return rc == 0 ? 0 : db_fail(e, rc, "open", m->path);
}

static int open_hash(struct map *m, struct err *e)
{
	return open_db(m, DB_HASH, e);
}

static int open_btree(struct map *m, struct err *e)
{
	return open_db(m, DB_BTREE, e);
}

static void close_db(struct map *m)
{
	struct db_table *t = m->impl;
	if (t->db)
		t->db->close(t->db, DB_NOSYNC);
	free(t);
}

static struct sv without_nul(const DBT *d)
{
	struct sv s = sv_n(d->data, d->size);
	if (s.len > 0 && s.p[s.len - 1] == '\0')
		s.len--;
	return s;
}

static int get(struct db_table *t, struct sv key, bool no_nul, struct buf *value, int *rc)
{
	char with_nul[MAP_KEY_MAX + 1];
	DBT k = { .data = with_nul, .size = (u_int32_t)(key.len + (no_nul ? 0 : 1)) }, v = { 0 };
	memcpy(with_nul, key.p, key.len);
	with_nul[key.len] = '\0';
	*rc = t->db->get(t->db, NULL, &k, &v, 0);
	if (*rc == DB_NOTFOUND)
		return 0;
	if (*rc != 0)
		return -1;
	buf_put_sv(value, without_nul(&v));
	return 1;
}

static int lookup_db(struct map *m, struct sv key, struct buf *value, struct err *e)
{
	struct db_table *t = m->impl;
	int rc, found = get(t, key, t->no_nul, value, &rc);
	if (found == 0) {
		found = get(t, key, !t->no_nul, value, &rc);
		if (found == 1)
			t->no_nul = !t->no_nul;
	}
	return found < 0 ? db_fail(e, rc, "read", m->path) : found;
}

static int each_db(struct map *m, map_each_fn *fn, void *arg, struct err *e)
{
	struct db_table *t = m->impl;
	DBC *c;
	DBT k = { 0 }, v = { 0 };
	int rc = t->db->cursor(t->db, NULL, &c, 0), stop = 0;
	if (rc != 0)
		return db_fail(e, rc, "read", m->path);
	while (stop == 0 && (rc = c->get(c, &k, &v, DB_NEXT)) == 0)
		stop = fn(arg, without_nul(&k), without_nul(&v));
	c->close(c);
	if (rc != 0 && rc != DB_NOTFOUND)
		return db_fail(e, rc, "read", m->path);
	return stop;
}

const struct map_ops map_hash_ops = {
	.type = "hash", .suffix = ".db", .open = open_hash, .lookup = lookup_db,
	.close = close_db, .each = each_db,
};

const struct map_ops map_btree_ops = {
	.type = "btree", .suffix = ".db", .open = open_btree, .lookup = lookup_db,
	.close = close_db, .each = each_db,
};
