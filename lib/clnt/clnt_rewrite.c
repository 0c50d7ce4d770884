#include "lib/clnt/clnt_rewrite.h"

#include "lib/base/hash.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/rand.h"

#define CACHE_ENTRIES 512
#define CACHE_MS      5000 /* a changed table is seen after this time at the latest */
#define BATCH         200  /* addresses of one request */
#define KEY_MAX       2400

/* Answers, by "r" context NUL address, or "R" sender-independent address. All of them die together,
 * when the table is full or its oldest answer is CACHE_MS old. */
struct clnt_rewrite {
	struct ipc_pool *pool;
	struct htab cache;
	struct arena memory;
	int64_t born;
};

struct clnt_rewrite *clnt_rewrite_new(struct ipc_pool *pool)
{
	struct clnt_rewrite *c = mem_alloc(sizeof(*c));
	c->pool = pool;
	htab_init(&c->cache, (struct hash_seed){ rand_u64(), rand_u64() });
	arena_init(&c->memory, CACHE_ENTRIES * 4096);
	return c;
}

void clnt_rewrite_free(struct clnt_rewrite *c)
{
	if (!c)
		return;
	htab_free(&c->cache);
	arena_free(&c->memory);
	free(c);
}

static bool make_key(const char *context, struct sv addr, char key[KEY_MAX], struct sv *out)
{
	int n = snprintf(key, KEY_MAX, "%s", context);
	if (n < 0 || (size_t)n + 1 + addr.len >= KEY_MAX)
		return false;
	memcpy(key + n + 1, addr.p, addr.len);
	*out = sv_n(key, (size_t)n + 1 + addr.len);
	return true;
}

static void *cache_get(struct clnt_rewrite *c, const char *context, struct sv addr)
{
	char key[KEY_MAX];
	struct sv k;
	if (c->cache.count > 0 &&
	        (c->cache.count >= CACHE_ENTRIES || clock_mono_ms() - c->born >= CACHE_MS)) {
		struct hash_seed seed = c->cache.seed;
		htab_free(&c->cache);
		htab_init(&c->cache, seed);
		arena_reset(&c->memory);
	}
	return make_key(context, addr, key, &k) ? htab_get(&c->cache, k) : NULL;
}

/* VALUE is copied whole, with its strings. */
static void cache_put(
        struct clnt_rewrite *c, const char *context, struct sv addr, const struct clnt_resolved *v)
{
	char key[KEY_MAX];
	struct sv k;
	if (c->cache.count >= CACHE_ENTRIES || !make_key(context, addr, key, &k))
		return;
	struct clnt_resolved *copy = arena_alloc(&c->memory, sizeof(*copy));
	if (!copy)
		return;
	*copy = *v;
	copy->transport = arena_sv(&c->memory, v->transport);
	copy->nexthop = arena_sv(&c->memory, v->nexthop);
	copy->recipient = arena_sv(&c->memory, v->recipient);
	if (!copy->transport.p || !copy->nexthop.p || !copy->recipient.p)
		return;
	if (c->cache.count == 0)
		c->born = clock_mono_ms();
	htab_set(&c->cache, k, copy);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_TEMP, "rewrite: no memory left for this mail");
}

/* Send BODY of TYPE; the answer's frame in *REPLY, checked to be of type WANT. */
static int call(struct clnt_rewrite *c, uint16_t type, uint16_t want, struct buf *body,
        struct arena *a, struct ipc_frame *reply, int64_t deadline, struct err *e)
{
	if (ipc_call(c->pool, MSG_rewrite_PROTOCOL, MSG_rewrite_VERSION, type, buf_sv(body), a,
	            reply, deadline, e) != 1)
		return -1;
	if (reply->type != want)
		return err_set(e, ERR_TEMP, "rewrite: unexpected answer %u", reply->type);
	return 1;
}

static int ask_rewrite(struct clnt_rewrite *c, const char *context, struct sv *addrs, size_t n,
        struct arena *a, struct sv_list *answer, int64_t deadline, struct err *e)
{
	struct msg_rewrite_rewrite q = { .context = sv_z(context), .addresses = { addrs, n } };
	struct msg_rewrite_rewritten m;
	struct ipc_frame reply;
	struct buf body;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	if (msg_rewrite_rewrite_encode(&q, &body) < 0)
		rc = err_set(e, ERR_TEMP, "rewrite: request too large");
	else
		rc = call(c, MSG_rewrite_rewrite, MSG_rewrite_rewritten, &body, a, &reply, deadline,
		        e);
	buf_free(&body);
	if (rc != 1)
		return -1;
	if (msg_rewrite_rewritten_decode(reply.body, a, &m, e) != 1)
		return -1;
	if (!m.ok)
		return err_set(e, ERR_TEMP, "rewrite: %.*s", SV_ARG(m.error));
	if (m.addresses.n != n)
		return err_set(
		        e, ERR_TEMP, "rewrite: %zu answers to %zu addresses", m.addresses.n, n);
	*answer = m.addresses;
	return 1;
}

static int ask_resolve(struct clnt_rewrite *c, struct sv sender, struct sv *addrs, size_t n,
        struct arena *a, struct msg_rewrite_resolved *m, int64_t deadline, struct err *e)
{
	struct msg_rewrite_resolve q = { .sender = sender, .addresses = { addrs, n } };
	struct ipc_frame reply;
	struct buf body;
	int rc;

	buf_init(&body, IPC_FRAME_MAX);
	if (msg_rewrite_resolve_encode(&q, &body) < 0)
		rc = err_set(e, ERR_TEMP, "rewrite: request too large");
	else
		rc = call(c, MSG_rewrite_resolve, MSG_rewrite_resolved, &body, a, &reply, deadline,
		        e);
	buf_free(&body);
	if (rc != 1)
		return -1;
	if (msg_rewrite_resolved_decode(reply.body, a, m, e) != 1)
		return -1;
	if (m->transports.n != n || m->nexthops.n != n || m->recipients.n != n || m->flags.n != n ||
	        m->classes.n != n)
		return err_set(e, ERR_TEMP, "rewrite: %zu answers to %zu addresses%s%.*s",
		        m->transports.n, n, m->error.len ? ": " : "", SV_ARG(m->error));
	return 1;
}

/* Indices of addresses that the cache does not know, at most BATCH from *AT on. */
static size_t misses(struct clnt_rewrite *c, const char *context, const struct sv *addrs, size_t n,
        size_t *at, struct sv *ask, size_t *index, struct arena *a, struct clnt_resolved *found)
{
	size_t count = 0;
	for (; *at < n && count < BATCH; (*at)++) {
		const struct clnt_resolved *hit = cache_get(c, context, addrs[*at]);
		if (!hit) {
			ask[count] = addrs[*at];
			index[count++] = *at;
			continue;
		}
		found[*at] = *hit;
		/* the cache may be emptied before the caller is done */
		found[*at].transport = arena_sv(a, hit->transport);
		found[*at].nexthop = arena_sv(a, hit->nexthop);
		found[*at].recipient = arena_sv(a, hit->recipient);
	}
	return count;
}

struct question {
	struct sv *ask;
	size_t *index;
};

static bool question_init(struct question *q, size_t n, struct arena *a)
{
	size_t room = n < BATCH ? n : BATCH;
	q->ask = arena_array(a, room + 1, sizeof(*q->ask));
	q->index = arena_array(a, room + 1, sizeof(*q->index));
	return q->ask && q->index;
}

int clnt_rewrite_addrs(struct clnt_rewrite *c, const char *context, const struct sv *addrs,
        size_t n, struct arena *a, struct sv **out, int64_t deadline, struct err *e)
{
	struct clnt_resolved *found = arena_array(a, n + 1, sizeof(*found));
	struct question q;
	*out = arena_array(a, n + 1, sizeof(**out));
	if (!found || !question_init(&q, n, a) || !*out)
		return no_memory(e);
	for (size_t at = 0; at < n;) {
		struct sv_list answer = { NULL, 0 };
		size_t count = misses(c, context, addrs, n, &at, q.ask, q.index, a, found);
		if (count > 0 && ask_rewrite(c, context, q.ask, count, a, &answer, deadline, e) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			found[q.index[i]] = (struct clnt_resolved){
				.transport = SV_NONE, .nexthop = SV_NONE, .recipient = answer.v[i]
			};
			cache_put(c, context, q.ask[i], &found[q.index[i]]);
		}
	}
	for (size_t i = 0; i < n; i++)
		(*out)[i] = found[i].recipient;
	return a->exhausted ? no_memory(e) : 1;
}

int clnt_rewrite_addr(struct clnt_rewrite *c, const char *context, struct sv addr, struct arena *a,
        struct sv *out, int64_t deadline, struct err *e)
{
	struct sv *list;
	if (clnt_rewrite_addrs(c, context, &addr, 1, a, &list, deadline, e) < 0)
		return -1;
	*out = list[0];
	return 1;
}

int clnt_resolve_addrs(struct clnt_rewrite *c, struct sv sender, const struct sv *addrs, size_t n,
        struct arena *a, struct clnt_resolved **out, int64_t deadline, struct err *e)
{
	static const char context[] = "resolve";
	struct clnt_resolved *found = arena_array(a, n + 1, sizeof(*found));
	struct question q;
	if (!found || !question_init(&q, n, a))
		return no_memory(e);
	for (size_t at = 0; at < n;) {
		struct msg_rewrite_resolved m;
		size_t count = misses(c, context, addrs, n, &at, q.ask, q.index, a, found);
		if (count > 0 && ask_resolve(c, sender, q.ask, count, a, &m, deadline, e) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			struct clnt_resolved *r = &found[q.index[i]];
			*r = (struct clnt_resolved){ m.transports.v[i], m.nexthops.v[i],
				m.recipients.v[i], m.flags.v[i], m.classes.v[i] };
			if (!(r->flags & (REWRITE_TEMP | REWRITE_BY_SENDER)))
				cache_put(c, context, q.ask[i], r);
		}
	}
	*out = found;
	return a->exhausted ? no_memory(e) : 1;
}

int clnt_resolve_addr(struct clnt_rewrite *c, struct sv sender, struct sv addr, struct arena *a,
        struct clnt_resolved *out, int64_t deadline, struct err *e)
{
	struct clnt_resolved *list;
	if (clnt_resolve_addrs(c, sender, &addr, 1, a, &list, deadline, e) < 0)
		return -1;
	*out = list[0];
	return 1;
}
