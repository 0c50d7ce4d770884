/* A connection: request, look-up in the pool of threads, answer; one at a time, until the peer is gone. */
#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/map/map.h"
#include "lib/sys/log.h"
#include "lib/sys/name_service.h"
#include "lib/sys/rand.h"
#include "proxymap/proxymap.h"

enum { NOT_FOUND = 0, FOUND = 1, TRY_AGAIN = 2, REFUSED = 3, ASK_ANOTHER = 4 };

#define KEYS_MAX       64
#define ANSWER_WAIT_MS 60000

int proxymap_paths(struct server *s, UNUSED struct err *e)
{
	/* tables may lie anywhere that this uid may read: aliases, maps in /etc, name service files */
	return server_allow_read(s, "/");
}

static struct map *table_of(struct proxymap *p, struct sv table);

/* While still root: tables may be closed to this program's account, as those with passwords are. One that cannot
 * be opened now is tried again at its look-ups, which tell what is wrong. */
static void hold_tables(struct proxymap *p)
{
	for (int i = 0; i < PROXYMAP_CLASSES; i++) {
		HTAB_FOREACH (&p->allowed[i], entry) {
			struct err e = ERR_INIT;
			struct map *m = table_of(p, sv_n(entry->key, entry->key_len));
			if (!map_may_hang(m) && map_hold(m, &e) < 0)
				log_debug("%s", e.text);
		}
	}
}

int proxymap_pre_jail(struct server *s, struct err *e)
{
	struct proxymap *p = mem_alloc(sizeof(*p));
	struct hash_seed seed = { rand_u64(), rand_u64() };

	for (int i = 0; i < PROXYMAP_CLASSES; i++)
		htab_init(&p->allowed[i], seed);
	htab_init(&p->open, seed);
	server_set_state(s, p);
	name_service_load(); /* for tables of type unix */
	if (proxymap_allow_load(p, server_config(s), e) < 0)
		return -1;
	if (server_is_system(s))
		hold_tables(p);
	return 0;
}

/* The table, opened at its first use; struct map has its own lock and follows a replaced file. */
static struct map *table_of(struct proxymap *p, struct sv table)
{
	struct map *m = htab_get(&p->open, table);
	if (m)
		return m;
	char *spec = mem_svdup(table);
	m = map_open(spec, 0);
	free(spec);
	htab_set(&p->open, table, m);
	return m;
}

struct job {
	struct map *map;
	struct sv_list keys;
	struct buf value;
	struct err err;
	size_t which;
	int rc;
};

static void look_up(void *arg)
{
	struct job *j = arg;
	for (j->which = 0; j->which < j->keys.n; j->which++) {
		j->rc = map_lookup(j->map, j->keys.v[j->which], &j->value, &j->err);
		if (j->rc != 0)
			return;
	}
}

static void answer(struct server_conn *c, struct proxymap *p, const struct msg_proxymap_lookup *q,
	struct msg_proxymap_result *r, struct job *j)
{
	struct sv table = proxymap_table_name(q->table);
	int cls = proxymap_class(c->listener);

	if (cls < 0 || !htab_get(&p->allowed[cls], table)) {
		log_warn("request for table \"%.*s\" refused: no parameter of the class %s names it",
			SV_ARG(q->table), c->listener);
		*r = (struct msg_proxymap_result){ .status = REFUSED, .error = SV("not a table of this class") };
		return;
	}
	if (q->keys.n == 0 || q->keys.n > KEYS_MAX) {
		*r = (struct msg_proxymap_result){ .status = TRY_AGAIN, .error = SV("number of keys") };
		return;
	}
	j->map = table_of(p, table);
	j->keys = q->keys;
	fiber_offload(FIBER_POOL_LOOKUP, look_up, j);
	if (j->rc < 0 && map_is_stale(j->map)) {
		/* it was replaced, and only root can open it */
		log_info("%s was replaced: a fresh process takes over", map_spec(j->map));
		*r = (struct msg_proxymap_result){ .status = ASK_ANOTHER, .error = sv_z(j->err.text) };
	} else if (j->rc < 0) {
		log_warn("%.*s: %s", SV_ARG(table), j->err.text);
		*r = (struct msg_proxymap_result){ .status = TRY_AGAIN, .error = sv_z(j->err.text) };
	} else if (j->rc == 0) {
		*r = (struct msg_proxymap_result){ .status = NOT_FOUND };
	} else {
		*r = (struct msg_proxymap_result){ .status = FOUND, .value = buf_sv(&j->value),
			.which = (uint32_t)j->which };
	}
}

static bool serve_one(struct server_conn *c, struct ipc_conn *conn)
{
	struct ipc_frame f;
	struct msg_proxymap_lookup q;
	struct msg_proxymap_result r;
	struct err e = ERR_INIT;
	struct job j = { .err = ERR_INIT };

	server_conn_idle(c, true);
	int rc = ipc_recv(conn, &f, FIBER_FOREVER, &e);
	server_conn_idle(c, false);
	if (rc != 1)
		return false;
	arena_reset(c->arena);
	if (f.protocol != MSG_proxymap_PROTOCOL || f.type != MSG_proxymap_lookup ||
		msg_proxymap_lookup_decode(f.body, c->arena, &q, &e) < 0) {
		log_warn("a malformed request: %s", e.text);
		return false;
	}
	buf_init(&j.value, MAP_VALUE_MAX);
	answer(c, c->state, &q, &r, &j);
	if (r.status == ASK_ANOTHER) /* before that is said: who asks again shall not meet this process */
		server_stop(c->server, 0);
	rc = msg_proxymap_result_send(conn, &r, f.request_id, NULL, 0, fiber_deadline(ANSWER_WAIT_MS), &e);
	buf_free(&j.value);
	return rc == 1 && r.status != ASK_ANOTHER;
}

void proxymap_serve(struct server_conn *c)
{
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	while (serve_one(c, conn))
		;
	ipc_conn_free(conn);
}
