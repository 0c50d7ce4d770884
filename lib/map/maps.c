#include "lib/map/maps.h"

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/map/split.h"

#define TABLES_MAX      200 /* of one parameter */
#define TIMEOUT_DEFAULT 100000

struct table {
	struct map *map;
	bool remote; /* proxymap looks it up */
};

struct maps {
	char *title;
	struct table *v;
	size_t n;
	struct maps_env env;
	unsigned flags;
	const struct map *last; /* NULL: none has answered yet */
};

/* One search through local tables, for a thread of the look-up pool. */
struct search {
	struct maps *m;
	const struct map_keys *keys;
	size_t only;  /* one table, or SIZE_MAX: all */
	struct buf *value;
	size_t which;
	const struct map *answered;
	int rc;
	struct err *e;
};

static void add_table(struct maps *m, struct sv item)
{
	char *spec = mem_svdup(item);
	struct table *t = &m->v[m->n++];
	t->map = map_open(spec, m->flags);
	bool proxied = strncmp(spec, "proxy:", 6) == 0 || map_may_hang(t->map) ||
		       (m->env.jailed && !map_is_pure(t->map));
	t->remote = proxied && m->env.proxymap;
	free(spec);
}

struct maps *maps_open(const char *title, const char *list, const struct maps_env *env,
		       unsigned flags, struct err *e)
{
	struct maps *m = mem_alloc(sizeof(*m));
	struct split items;
	struct sv item;
	int rc;
	m->title = mem_strdup(title);
	m->v = mem_array(TABLES_MAX, sizeof(*m->v));
	m->flags = flags;
	if (env)
		m->env = *env;
	if (m->env.timeout_ms == 0)
		m->env.timeout_ms = TIMEOUT_DEFAULT;
	split_init(&items, sv_z(list));
	while ((rc = split_next(&items, &item, e)) == 1 && m->n < TABLES_MAX)
		add_table(m, item);
	if (rc == 1)
		rc = err_set(e, ERR_CONFIG, "more than %d tables", TABLES_MAX);
	if (rc < 0) {
		err_prefix(e, "%s", title);
		maps_free(m);
		return NULL;
	}
	return m;
}

void maps_free(struct maps *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		map_free(m->v[i].map);
	free(m->v);
	free(m->title);
	free(m);
}

bool maps_empty(const struct maps *m)
{
	return m->n == 0;
}

const char *maps_title(const struct maps *m)
{
	return m->title;
}

const char *maps_last(const struct maps *m)
{
	return m->last ? map_spec(m->last) : "";
}

const char *maps_last_file(const struct maps *m)
{
	return m->last ? map_file(m->last) : NULL;
}

int maps_check(struct maps *m, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; i < m->n; i++)
		if (map_is_pure(m->v[i].map) && !m->v[i].remote &&
		    map_check(m->v[i].map, e) < 0)
			rc = err_prefix(e, "%s", m->title);
	return rc;
}

/* Key-major, as in Postfix: the whole address in any table comes before "@domain" in the first. */
static void search_local(void *rec)
{
	struct search *s = rec;
	size_t first = s->only == SIZE_MAX ? 0 : s->only;
	size_t end = s->only == SIZE_MAX ? s->m->n : s->only + 1;
	s->rc = 0;
	for (size_t k = 0; s->rc == 0 && k < s->keys->n; k++) {
		for (size_t t = first; s->rc == 0 && t < end; t++) {
			struct map *map = s->m->v[t].map;
			if (s->keys->v[k].partial && map_is_pattern(map))
				continue;
			s->rc = map_lookup(map, s->keys->v[k].key, s->value, s->e);
			s->which = k;
			s->answered = map;
		}
	}
}

static bool needs_thread(const struct search *s)
{
	if (!fiber_self())
		return false;
	for (size_t t = 0; t < s->m->n; t++)
		if ((s->only == SIZE_MAX || s->only == t) && !map_is_pure(s->m->v[t].map))
			return true;
	return false;
}

static void run_local(struct search *s)
{
	if (needs_thread(s))
		fiber_offload(FIBER_POOL_LOOKUP, search_local, s);
	else
		search_local(s);
}

static int take_result(struct search *s, const struct msg_proxymap_result *r)
{
	switch (r->status) {
	case 0:
		return 0;
	case 1:
		if (buf_put_sv(s->value, r->value) < 0)
			return err_set(s->e, ERR_CONFIG, "a value longer than %zu octets",
				       s->value->max);
		s->which = r->which < s->keys->n ? r->which : 0;
		return 1;
	default:
		return err_set(s->e, r->status == 3 ? ERR_CONFIG : ERR_TEMP, "%.*s",
			       SV_ARG(r->error));
	}
}

/* One question, one answer: 1 *OUT, -1. A process that leaves says so; then the next one is asked, once. */
static int ask_proxymap(struct search *s, struct sv question, struct arena *a, struct msg_proxymap_result *out)
{
	struct ipc_frame reply;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (ipc_call(s->m->env.proxymap, MSG_proxymap_PROTOCOL, MSG_proxymap_VERSION, MSG_proxymap_lookup,
			    question, a, &reply, fiber_deadline(s->m->env.timeout_ms), s->e) != 1 ||
		    msg_proxymap_result_from(&reply, a, out, s->e) != 1)
			return -1;
		if (out->status != 4)
			break;
	}
	return 1;
}

/* Ask proxymap for the keys of S in table ONLY. */
static void run_remote(struct search *s)
{
	struct map *map = s->m->v[s->only].map;
	struct sv views[MAP_KEYS_MAX];
	struct msg_proxymap_lookup ask = { .table = sv_z(map_spec(map)), .keys = { .v = views },
					   .fold = !(s->m->flags & MAP_NO_FOLD) };
	struct msg_proxymap_result answer;
	struct arena a;
	struct buf body;
	arena_init(&a, MAP_VALUE_MAX + 65536);
	buf_init(&body, IPC_FRAME_MAX);
	s->answered = map;
	s->rc = -1;
	for (size_t k = 0; k < s->keys->n; k++)
		if (!s->keys->v[k].partial || !map_is_pattern(map))
			views[ask.keys.n++] = s->keys->v[k].key;
	if (ask.keys.n == 0)
		s->rc = 0;
	else if (msg_proxymap_lookup_encode(&ask, &body) < 0)
		err_set(s->e, ERR_TEMP, "a look-up by proxymap is too large");
	else if (ask_proxymap(s, buf_sv(&body), &a, &answer) == 1)
		s->rc = take_result(s, &answer);
	if (s->rc < 0)
		err_prefix(s->e, "proxymap, table %s", map_spec(map));
	buf_free(&body);
	arena_free(&a);
}

/* Some tables are proxymap's: key by key through the tables, unless there is one table only. */
static void run_mixed(struct search *s)
{
	struct map_keys one;
	const struct map_keys *all = s->keys;
	if (s->m->n == 1) {
		s->only = 0;
		run_remote(s);
		return;
	}
	s->rc = 0;
	for (size_t k = 0; s->rc == 0 && k < all->n; k++) {
		map_keys_one(&one, all->v[k].key);
		one.v[0].partial = all->v[k].partial;
		s->keys = &one;
		for (size_t t = 0; s->rc == 0 && t < s->m->n; t++) {
			s->only = t;
			if (s->m->v[t].remote)
				run_remote(s);
			else
				run_local(s);
		}
		s->which = k;
	}
	s->keys = all;
}

int maps_find_keys(struct maps *m, const struct map_keys *keys, struct buf *value, size_t *which,
		   struct err *e)
{
	struct search s = { .m = m, .keys = keys, .only = SIZE_MAX, .value = value, .e = e };
	bool remote = false;
	for (size_t t = 0; t < m->n; t++)
		remote = remote || m->v[t].remote;
	if (m->n == 0 || keys->n == 0)
		return 0;
	if (remote)
		run_mixed(&s);
	else
		run_local(&s);
	if (s.rc < 0)
		return err_prefix(e, "%s", m->title);
	if (s.rc == 1) {
		m->last = s.answered;
		if (which)
			*which = s.which;
	}
	return s.rc;
}

int maps_find(struct maps *m, struct sv key, struct buf *value, struct err *e)
{
	struct map_keys keys;
	if (key.len > MAP_KEY_MAX)
		return 0;
	map_keys_one(&keys, key);
	return maps_find_keys(m, &keys, value, NULL, e);
}
