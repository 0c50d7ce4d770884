/*
 * One environment, one unnamed database, keys by kind (index_record.h). Written with MDB_NOMETASYNC: a
 * power cut may undo the last transaction but never leaves a half one. MDB_NOTLS: read transactions
 * belong to the call, not to the pool thread.
 */
#include "lib/store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

#define MAP_START   ((size_t)64 << 20)
#define MAP_LIMIT   ((size_t)1 << 30)
#define RETRY_MS    (60 * 1000) /* how long an index that cannot be opened is left alone */
#define READERS_MAX 512
#define SWEEP_MAX   1000 /* old tombstones removed at a time */

struct store_index {
	char *dir;
	MDB_env *env;
	MDB_dbi dbi;
	size_t map_size;
	int64_t retry_at; /* 0, or monotonic: not before */
};

struct store_index *index_new(const char *dir)
{
	struct store_index *ix = mem_alloc(sizeof(*ix));
	ix->dir = mem_strdup(dir);
	ix->map_size = MAP_START;
	return ix;
}

static void close_env(struct store_index *ix)
{
	if (ix->env)
		mdb_env_close(ix->env);
	ix->env = NULL;
}

void index_close(struct store_index *ix)
{
	if (ix)
		close_env(ix);
}

void index_free(struct store_index *ix)
{
	if (!ix)
		return;
	close_env(ix);
	free(ix->dir);
	free(ix);
}

static void path_of(const struct store_index *ix, const char *name, char out[4200])
{
	(void)snprintf(out, 4200, "%s/%s", ix->dir, name);
}

static void remove_files(const struct store_index *ix, const char *why)
{
	static const char *const names[] = { "data.mdb", "lock.mdb" };
	log_warn("%s: %s: the index is made anew", ix->dir, why);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[4200];
		path_of(ix, names[i], path);
		(void)sys_unlink(path);
	}
}

/* Codes that tell of the file, not of the moment. */
static bool is_damage(int rc)
{
	return rc == MDB_CORRUPTED || rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
	       rc == MDB_PANIC || rc == MDB_PAGE_NOTFOUND || rc == MDB_BAD_TXN ||
	       rc == MDB_INCOMPATIBLE || rc == MDB_BAD_DBI || rc == MDB_BAD_VALSIZE ||
	       rc == MDB_CURSOR_FULL || rc == MDB_PAGE_FULL;
}

/* A data file shorter than its last page would end the process at the first touch (SIGBUS). */
static int check_length(const struct store_index *ix)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	char path[4200];
	path_of(ix, "data.mdb", path);
	if (mdb_env_info(ix->env, &info) != 0 || mdb_env_stat(ix->env, &stat) != 0 ||
	        sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return MDB_CORRUPTED;
	uint64_t need = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	return (uint64_t)st.st_size < need ? MDB_CORRUPTED : 0;
}

/* The meta record: written into an empty database, else compared. */
static int check_meta(struct store_index *ix)
{
	struct index_key key = index_key_meta();
	MDB_val k = { key.len, key.octets }, v;
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &ix->dbi);
	if (rc == 0)
		rc = mdb_get(txn, ix->dbi, &k, &v);
	struct buf value;
	buf_init(&value, 100);
	(void)index_value_seal(&value, &key, SV(INDEX_MAGIC " 1"));
	MDB_stat stat;
	if (rc == 0 && (v.mv_size != value.len || memcmp(v.mv_data, value.p, value.len) != 0))
		rc = MDB_VERSION_MISMATCH;
	else if (rc == MDB_NOTFOUND && (rc = mdb_stat(txn, ix->dbi, &stat)) == 0) {
		v = (MDB_val){ value.len, value.p };
		rc = stat.ms_entries ? MDB_VERSION_MISMATCH : mdb_put(txn, ix->dbi, &k, &v, 0);
	}
	buf_free(&value);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int open_once(struct store_index *ix)
{
	int dead, rc = mdb_env_create(&ix->env);
	if (rc)
		return rc;
	if ((rc = mdb_env_set_mapsize(ix->env, ix->map_size)) == 0 &&
	        (rc = mdb_env_set_maxreaders(ix->env, READERS_MAX)) == 0 &&
	        (rc = mdb_env_open(ix->env, ix->dir, MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD,
	                 0600)) == 0 &&
	        (rc = mdb_reader_check(ix->env, &dead)) == 0 && (rc = check_length(ix)) == 0)
		rc = check_meta(ix);
	if (rc)
		close_env(ix);
	return rc;
}

/* 1 ready, -1 no index now. */
static int ready(struct store_index *ix)
{
	if (ix->env)
		return 1;
	if (ix->retry_at && clock_mono_ms() < ix->retry_at)
		return -1;
	if (sys_mkdir(ix->dir, 0700) < 0 && errno != EEXIST) {
		log_warn("mkdir %s: %s: working without an index", ix->dir, strerror(errno));
	} else {
		int rc = open_once(ix);
		if (is_damage(rc)) {
			remove_files(ix, mdb_strerror(rc));
			rc = open_once(ix);
		}
		if (rc == 0)
			return 1;
		log_warn("%s: %s: working without an index", ix->dir, mdb_strerror(rc));
	}
	ix->retry_at = clock_mono_ms() + RETRY_MS;
	return -1;
}

/* --- transactions -------------------------------------------------- */

typedef int (*txn_fn)(struct store_index *ix, MDB_txn *txn, void *arg);

static int run_once(struct store_index *ix, unsigned flags, txn_fn fn, void *arg)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, flags, &txn);
	if (rc == MDB_MAP_RESIZED) { /* another process made it larger */
		rc = mdb_env_set_mapsize(ix->env, 0);
		if (rc == 0)
			rc = mdb_txn_begin(ix->env, NULL, flags, &txn);
	}
	if (rc)
		return rc;
	rc = fn(ix, txn, arg);
	if (rc || flags & MDB_RDONLY) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int drop_all(struct store_index *ix, MDB_txn *txn, void *arg)
{
	(void)arg;
	return mdb_drop(txn, ix->dbi, 0);
}

/* Run FN in a transaction; a full map grows, or is emptied at its limit. 1 done, -1 no index now. */
static int run(struct store_index *ix, unsigned flags, txn_fn fn, void *arg)
{
	if (ready(ix) < 0)
		return -1;
	int rc = run_once(ix, flags, fn, arg);
	while (rc == MDB_MAP_FULL) {
		MDB_envinfo info;
		(void)mdb_env_info(ix->env, &info);
		if (info.me_mapsize >= MAP_LIMIT) {
			log_warn("%s: full: emptied", ix->dir);
			rc = run_once(ix, 0, drop_all, NULL);
			close_env(ix); /* the meta record comes back with the next open */
			if (rc || ready(ix) < 0)
				break;
		} else {
			ix->map_size = info.me_mapsize * 2;
			rc = mdb_env_set_mapsize(ix->env, ix->map_size);
			if (rc)
				break;
		}
		rc = run_once(ix, flags, fn, arg);
	}
	if (rc == 0)
		return 1;
	close_env(ix);
	if (is_damage(rc))
		remove_files(ix, mdb_strerror(rc));
	else {
		log_warn("%s: %s: working without an index", ix->dir, mdb_strerror(rc));
		ix->retry_at = clock_mono_ms() + RETRY_MS;
	}
	return -1;
}

/* The payload of KEY. 0 and *out (.p NULL: absent or damaged); else an LMDB code. */
static int get(struct store_index *ix, MDB_txn *txn, const struct index_key *key, struct sv *out)
{
	struct index_key copy = *key;
	MDB_val k = { copy.len, copy.octets }, v;
	*out = (struct sv){ NULL, 0 };
	int rc = mdb_get(txn, ix->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && index_value_open(key, sv_n(v.mv_data, v.mv_size), out) < 0)
		*out = (struct sv){ NULL, 0 };
	return rc;
}

static int put(struct store_index *ix, MDB_txn *txn, const struct index_key *key, struct sv payload)
{
	struct index_key copy = *key;
	struct buf value;
	buf_init(&value, payload.len + 4);
	(void)index_value_seal(&value, key, payload);
	MDB_val k = { copy.len, copy.octets }, v = { value.len, value.p };
	int rc = mdb_put(txn, ix->dbi, &k, &v, 0);
	buf_free(&value);
	return rc;
}

static int put_numbers(
        struct store_index *ix, MDB_txn *txn, const struct index_key *key, uint64_t a, uint64_t b)
{
	unsigned char octets[16];
	index_numbers_put(octets, a, b);
	return put(ix, txn, key, sv_n((const char *)octets, sizeof(octets)));
}

/* Delete all keys that start with PREFIX. */
static int del_prefix(struct store_index *ix, MDB_txn *txn, const struct index_key *prefix)
{
	struct index_key copy = *prefix;
	MDB_cursor *c;
	MDB_val k = { copy.len, copy.octets }, v;
	int rc = mdb_cursor_open(txn, ix->dbi, &c);
	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size >= prefix->len &&
	        memcmp(k.mv_data, prefix->octets, prefix->len) == 0) {
		rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --- mailboxes -------------------------------------------------- */

struct box_arg {
	const struct index_guid *g;
	uint32_t uidvalidity;
	uint32_t nextuid;
	uint64_t had_validity, had_next;
};

static int box_read(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct box_arg *b = arg;
	struct index_key key = index_key_box(b->g);
	struct sv payload;
	int rc = get(ix, txn, &key, &payload);
	if (rc || !payload.p || index_numbers_get(payload, &b->had_validity, &b->had_next) < 0)
		b->had_validity = b->had_next = 0;
	return rc;
}

static int box_write(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct box_arg *b = arg;
	struct index_key key = index_key_box(b->g);
	int rc = 0;
	if (b->had_validity != 0 && b->had_validity != b->uidvalidity) {
		struct index_key sizes = index_key_mail(INDEX_SIZE, b->g, 0, 0),
		                 parts = index_key_mail(INDEX_CACHE, b->g, 0, 0);
		sizes.len -= 4;
		parts.len -= 4;
		rc = del_prefix(ix, txn, &sizes);
		if (rc == 0)
			rc = del_prefix(ix, txn, &parts);
	}
	return rc ? rc : put_numbers(ix, txn, &key, b->uidvalidity, b->nextuid);
}

int index_box_check(
        struct store_index *ix, const struct index_guid *g, uint32_t uidvalidity, uint32_t *nextuid)
{
	struct box_arg b = { .g = g, .uidvalidity = uidvalidity, .nextuid = *nextuid };
	if (run(ix, MDB_RDONLY, box_read, &b) < 0)
		return -1;
	bool same = b.had_validity == uidvalidity;
	if (same && b.had_next > *nextuid && b.had_next <= UINT32_MAX)
		*nextuid = b.nextuid = (uint32_t)b.had_next;
	if (same && b.had_next == b.nextuid)
		return 1;
	return run(ix, 0, box_write, &b);
}

/* --- sizes, parts -------------------------------------------------- */

struct many_arg {
	const struct index_guid *g;
	struct index_size *sizes;
	struct index_part *parts;
	size_t n;
	struct arena *arena;
};

static int sizes_read(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct many_arg *m = arg;
	for (size_t i = 0; i < m->n; i++) {
		struct index_key key =
		        index_key_mail(INDEX_SIZE, m->g, m->sizes[i].uid, m->sizes[i].tag);
		struct sv payload;
		int rc = get(ix, txn, &key, &payload);
		if (rc)
			return rc;
		if (!payload.p ||
		        index_numbers_get(payload, &m->sizes[i].size, &m->sizes[i].vsize) < 0)
			m->sizes[i].size = m->sizes[i].vsize = 0;
	}
	return 0;
}

static int sizes_write(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct many_arg *m = arg;
	int rc = 0;
	for (size_t i = 0; i < m->n && rc == 0; i++) {
		struct index_key key =
		        index_key_mail(INDEX_SIZE, m->g, m->sizes[i].uid, m->sizes[i].tag);
		rc = put_numbers(ix, txn, &key, m->sizes[i].size, m->sizes[i].vsize);
	}
	return rc;
}

int index_sizes_get(
        struct store_index *ix, const struct index_guid *g, struct index_size *v, size_t n)
{
	struct many_arg m = { .g = g, .sizes = v, .n = n };
	return n == 0 ? 1 : run(ix, MDB_RDONLY, sizes_read, &m);
}

int index_sizes_put(
        struct store_index *ix, const struct index_guid *g, const struct index_size *v, size_t n)
{
	struct index_size *copy = mem_array(n ? n : 1, sizeof(*copy));
	memcpy(copy, v, n * sizeof(*copy));
	struct many_arg m = { .g = g, .sizes = copy, .n = n };
	int rc = n == 0 ? 1 : run(ix, 0, sizes_write, &m);
	free(copy);
	return rc;
}

static int parts_read(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct many_arg *m = arg;
	for (size_t i = 0; i < m->n; i++) {
		struct index_key key =
		        index_key_cache(m->g, m->parts[i].uid, m->parts[i].tag, m->parts[i].field);
		struct sv payload;
		int rc = get(ix, txn, &key, &payload);
		if (rc)
			return rc;
		m->parts[i].value = payload.p ? arena_sv(m->arena, payload) : payload;
	}
	return 0;
}

static int parts_write(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct many_arg *m = arg;
	int rc = 0;
	for (size_t i = 0; i < m->n && rc == 0; i++) {
		struct index_key key =
		        index_key_cache(m->g, m->parts[i].uid, m->parts[i].tag, m->parts[i].field);
		rc = put(ix, txn, &key, m->parts[i].value);
	}
	return rc;
}

int index_cache_get(struct store_index *ix, const struct index_guid *g, struct index_part *v,
        size_t n, struct arena *arena)
{
	struct many_arg m = { .g = g, .parts = v, .n = n, .arena = arena };
	for (size_t i = 0; i < n; i++)
		v[i].value = (struct sv){ NULL, 0 };
	return n == 0 ? 1 : run(ix, MDB_RDONLY, parts_read, &m);
}

int index_cache_put(
        struct store_index *ix, const struct index_guid *g, const struct index_part *v, size_t n)
{
	struct index_part *copy = mem_array(n ? n : 1, sizeof(*copy));
	memcpy(copy, v, n * sizeof(*copy));
	struct many_arg m = { .g = g, .parts = copy, .n = n };
	int rc = n == 0 ? 1 : run(ix, 0, parts_write, &m);
	free(copy);
	return rc;
}

/* --- tombstones -------------------------------------------------- */

struct tomb_arg {
	const struct index_guid *g;
	const uint32_t *uids;
	size_t nuids;
	const struct index_tomb *tombs;
	size_t ntombs;
	int64_t now;
	bool found;
};

/* Drop some tombstones that are older than a day. */
static int sweep(struct store_index *ix, MDB_txn *txn, int64_t now)
{
	struct index_key first = index_key_tomb(NULL);
	MDB_cursor *c;
	MDB_val k = { first.len, first.octets }, v;
	int rc = mdb_cursor_open(txn, ix->dbi, &c);
	if (rc)
		return rc;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	for (int n = 0; rc == 0 && n < SWEEP_MAX; n++) {
		const unsigned char *octets = k.mv_data;
		struct index_key key = { .len = k.mv_size };
		uint64_t until = 0, unused;
		struct sv payload;
		if (k.mv_size < 1 || k.mv_size > sizeof(key.octets) || octets[0] != INDEX_TOMB)
			break;
		memcpy(key.octets, octets, k.mv_size);
		bool good = index_value_open(&key, sv_n(v.mv_data, v.mv_size), &payload) == 1 &&
		            index_numbers_get(payload, &until, &unused) == 1;
		if (!good || (int64_t)until < now)
			rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int expunged_write(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct tomb_arg *t = arg;
	int rc = t->ntombs ? sweep(ix, txn, t->now) : 0;
	for (size_t i = 0; i < t->ntombs && rc == 0; i++) {
		struct index_guid k;
		if (index_guid_parse(sv_z(t->tombs[i].key.hex), &k) < 0)
			continue;
		struct index_key key = index_key_tomb(&k);
		rc = put_numbers(
		        ix, txn, &key, (uint64_t)(t->now + INDEX_TOMB_S), t->tombs[i].size);
	}
	for (size_t i = 0; i < t->nuids && rc == 0; i++) {
		struct index_key size = index_key_mail(INDEX_SIZE, t->g, t->uids[i], 0);
		struct index_key part = index_key_mail(INDEX_CACHE, t->g, t->uids[i], 0);
		rc = del_prefix(ix, txn, &size);
		if (rc == 0)
			rc = del_prefix(ix, txn, &part);
	}
	return rc;
}

int index_expunged(struct store_index *ix, const struct index_guid *g, const uint32_t *uids,
        size_t nuids, const struct index_tomb *tombs, size_t ntombs, int64_t now)
{
	struct tomb_arg t = {
		.g = g, .uids = uids, .nuids = nuids, .tombs = tombs, .ntombs = ntombs, .now = now
	};
	return run(ix, 0, expunged_write, &t);
}

static int tomb_read(struct store_index *ix, MDB_txn *txn, void *arg)
{
	struct tomb_arg *t = arg;
	struct index_guid k;
	if (index_guid_parse(sv_z(t->tombs->key.hex), &k) < 0)
		return 0;
	struct index_key key = index_key_tomb(&k);
	struct sv payload;
	uint64_t until = 0, size = 0;
	int rc = get(ix, txn, &key, &payload);
	t->found = rc == 0 && payload.p && index_numbers_get(payload, &until, &size) == 1 &&
	           (int64_t)until >= t->now && (size == 0 || size == t->tombs->size);
	return rc;
}

int index_tomb_has(struct store_index *ix, const struct index_tomb *t, int64_t now)
{
	struct tomb_arg arg = { .tombs = t, .now = now };
	int rc = run(ix, MDB_RDONLY, tomb_read, &arg);
	return rc < 0 ? -1 : arg.found ? 1 : 0;
}
