#include "dnsd/dnsd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>

#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

#define HOSTS_FILE   "/etc/hosts"
#define HOSTS_MAX    (1024 * 1024)
#define CACHE_OCTETS (16 * 1024 * 1024)
#define IDLE_MS      600000 /* an idle connection of a client */
#define ANSWER_MS    10000
#define PARSE_OCTETS (512 * 1024)

/* A question to the outside that several clients wait for. */
struct pending {
	unsigned waiters;
	struct fiber_event *done;
	struct dnsd_result *result;
};

/* --- start
 * ------------------------------------------------------------------------------------------ */

static void read_hosts(struct dnsd *d)
{
	struct buf text;
	buf_init(&text, HOSTS_MAX);
	int fd = sys_open(HOSTS_FILE, O_RDONLY, 0);
	for (ssize_t n = 1; fd >= 0 && n > 0;) {
		char *room = buf_room(&text, 65536);
		n = room ? sys_read(fd, room, 65536) : 0;
		if (n < 0)
			log_warn("read " HOSTS_FILE ": %s", strerror(errno));
		else if (!room)
			log_warn(HOSTS_FILE " is larger than %d octets: its end is not used",
			        HOSTS_MAX);
		else
			buf_added(&text, (size_t)n);
	}
	if (fd < 0 && errno != ENOENT)
		log_warn("open " HOSTS_FILE ": %s", strerror(errno));
	if (fd >= 0)
		sys_close(fd);
	hosts_parse(&d->hosts, buf_sv(&text));
	buf_free(&text);
}

static struct hash_seed random_seed(void)
{
	return (struct hash_seed){ .k0 = rand_u64(), .k1 = rand_u64() };
}

int dnsd_pre_jail(struct server *s, struct err *e)
{
	struct dnsd *d = mem_alloc(sizeof *d);
	if (params_dnsd_load(server_config(s), &d->params, e) < 0)
		return -1;
	d->bounds.max_ttl_s = d->params.dnsd_max_ttl;
	d->bounds.max_negative_ttl_s = d->params.dnsd_max_negative_ttl;
	cache_init(&d->cache, random_seed(), (size_t)d->params.dnsd_cache_entries, CACHE_OCTETS);
	htab_init(&d->pending, random_seed());
	read_hosts(d);
	d->resolver = resolver_new(d->params.dnsd_servers, d->params.dnsd_timeout, e);
	server_set_state(s, d);
	return d->resolver ? 0 : -1;
}

int dnsd_post_jail(struct server *s, struct err *e)
{
	struct dnsd *d = server_state(s);
	return resolver_run(d->resolver, e);
}

/* --- one question
 * ------------------------------------------------------------------------------------ */

/* What is asked of DNS for NAME: the name itself in lower case, or the reverse name of an address.
 */
struct asked {
	char text[DNS_NAME_MAX + 1];  /* for the hosts file */
	char qname[DNS_NAME_MAX + 1]; /* for DNS */
};

static int asked_address(struct sv name, struct asked *out)
{
	char z[INET6_ADDRSTRLEN];
	unsigned char bin[16];
	struct buf b;
	int family = AF_INET;
	if (sv_copyz(name, z, sizeof z) < 0)
		return -1;
	if (inet_pton(AF_INET, z, bin) != 1) {
		family = AF_INET6;
		if (inet_pton(AF_INET6, z, bin) != 1)
			return -1;
	}
	if (!inet_ntop(family, bin, out->text, INET6_ADDRSTRLEN))
		return -1;
	buf_init(&b, sizeof out->qname);
	int rc = dns_reverse_name(&b, sv_n((char *)bin, family == AF_INET ? 4 : 16));
	if (rc == 0)
		rc = sv_copyz(buf_sv(&b), out->qname, sizeof out->qname);
	buf_free(&b);
	return rc;
}

static int asked_name(struct sv name, struct asked *out)
{
	struct buf probe;
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || !sv_is_print(name) || sv_copyz(name, out->text, sizeof out->text) < 0)
		return -1;
	for (char *p = out->text; *p; p++) {
		*p = ascii_lower(*p);
		if (!ascii_is_alnum(*p) && *p != '-' && *p != '_' && *p != '.' && *p != '/')
			return -1;
	}
	memcpy(out->qname, out->text, sizeof out->qname);
	buf_init(&probe, 1024);
	int rc = dns_query_build(&probe, 0, sv_z(out->qname), DNS_A, false);
	buf_free(&probe);
	return rc;
}

/* A reply for NAME that can be read: one that is refused is asked for once more, of another server. */
static int ask_and_parse(struct dnsd *d, struct sv name, uint16_t type, struct arena *arena,
        struct dns_answer *a, int64_t deadline, struct err *e)
{
	int rc = 0;
	for (unsigned way = 0; rc == 0 && way < DNSD_WAYS; way++) {
		struct buf msg;
		struct err why = ERR_INIT;
		buf_init(&msg, 65536);
		arena_reset(arena);
		rc = resolver_ask(d->resolver, way, name, type, &msg, deadline, e);
		if (rc == 1 && dns_answer_parse(buf_sv(&msg), name, type, arena, a, &why) < 0) {
			err_set(e, ERR_TEMP, "a reply for %.*s is refused: %s", SV_ARG(name), why.text);
			rc = 0;
		}
		buf_free(&msg);
	}
	return rc == 1 ? 1 : -1;
}

/* Ask the outside, follow aliases that end outside of a reply. Never NULL. */
static struct dnsd_result *ask_outside(
        struct dnsd *d, const char *qname, uint16_t type, int64_t deadline)
{
	char name[DNS_NAME_MAX + 1], next[DNS_NAME_MAX + 1];
	struct dnsd_result *r = NULL;
	bool authenticated = true;
	snprintf(name, sizeof name, "%s", qname);
	for (unsigned hop = 0; !r && hop <= DNSD_CHAIN_MAX; hop++) {
		struct err e = ERR_INIT;
		struct dns_answer a;
		struct arena arena;
		arena_init(&arena, PARSE_OCTETS);
		if (ask_and_parse(d, sv_z(name), type, &arena, &a, deadline, &e) < 0) {
			r = result_failed(type, "%s", e.text);
		} else {
			authenticated = authenticated && a.ad;
			r = result_from_answer(
			        sv_z(name), type, &a, &d->bounds, clock_mono_ms(), next);
		}
		arena_free(&arena);
		if (r)
			r->authenticated = r->authenticated && authenticated;
		else
			memcpy(name, next, sizeof name);
	}
	return r ? r : result_failed(type, "more than %d aliases from %s", DNSD_CHAIN_MAX, qname);
}

static void pending_leave(struct dnsd *d, struct pending *p)
{
	(void)d;
	if (--p->waiters > 0)
		return;
	result_release(p->result);
	fiber_event_free(p->done);
	free(p);
}

/* The result of a question that nobody has answered yet; one question goes out for all who wait. */
static struct dnsd_result *ask_once(struct dnsd *d, struct sv key, const char *qname, uint16_t type)
{
	int64_t deadline = fiber_deadline((int64_t)d->params.dnsd_timeout * 1000);
	struct pending *p = htab_get(&d->pending, key);
	struct dnsd_result *r = NULL;
	if (p) {
		p->waiters++;
		if (fiber_event_wait(p->done, deadline) == 1)
			r = result_hold(p->result);
		pending_leave(d, p);
		return r ? r : result_failed(type, "no name server answered in time for %s", qname);
	}
	p = mem_alloc(sizeof *p);
	p->waiters = 1;
	p->done = fiber_event_new();
	(void)htab_set(&d->pending, key, p);
	r = ask_outside(d, qname, type, deadline);
	(void)htab_del(&d->pending, key);
	p->result = result_hold(r);
	fiber_event_set(p->done);
	pending_leave(d, p);
	cache_put(&d->cache, key, r);
	if (r->status == CLNT_DNS_AGAIN)
		log_warn("%.*s", SV_ARG(r->error));
	return r;
}

static struct dnsd_result *answer_question(struct dnsd *d, const struct msg_dns_query *q)
{
	struct asked asked;
	char key[DNSD_KEY_MAX];
	uint16_t type = (uint16_t)q->type;
	switch (q->type) {
	case CLNT_DNS_A:
	case CLNT_DNS_AAAA:
	case CLNT_DNS_MX:
	case CLNT_DNS_TXT:
	case CLNT_DNS_TLSA:
		if (asked_name(q->name, &asked) < 0)
			return result_new(CLNT_DNS_BAD_NAME, type);
		break;
	case CLNT_DNS_PTR:
		if (asked_address(q->name, &asked) < 0)
			return result_new(CLNT_DNS_BAD_NAME, type);
		break;
	default: return result_new(CLNT_DNS_BAD_NAME, 0);
	}
	struct dnsd_result *r = hosts_lookup(&d->hosts, sv_z(asked.text), type);
	if (r)
		return r;
	int n = snprintf(key, sizeof key, "%u %s", type, asked.qname);
	struct sv k = sv_n(key, n > 0 ? (size_t)n : 0);
	r = cache_get(&d->cache, k, clock_mono_ms());
	return r ? r : ask_once(d, k, asked.qname, type);
}

static int send_answer(
        struct ipc_conn *conn, uint32_t id, const struct dnsd_result *r, struct err *e)
{
	struct arena a;
	arena_init(&a, 256 * 1024);
	size_t n = r->n;
	int64_t age_s = (clock_mono_ms() - r->made_ms) / 1000;
	struct msg_dns_answer m = { .status = r->status,
		.error = r->error,
		.canonical = r->canonical,
		.authenticated = r->authenticated };
	uint32_t *types = n ? arena_array(&a, n, sizeof *types) : NULL;
	uint32_t *ttls = n ? arena_array(&a, n, sizeof *ttls) : NULL;
	uint32_t *prefs = n ? arena_array(&a, n, sizeof *prefs) : NULL;
	struct sv *data = n ? arena_array(&a, n, sizeof *data) : NULL;
	for (size_t i = 0; i < n && types && ttls && prefs && data; i++) {
		types[i] = r->type;
		ttls[i] = age_s < (int64_t)r->records[i].ttl ? r->records[i].ttl - (uint32_t)age_s
		                                             : 0;
		prefs[i] = r->records[i].preference;
		data[i] = r->records[i].data;
	}
	m.types = (struct u32_list){ types, n };
	m.ttls = (struct u32_list){ ttls, n };
	m.preferences = (struct u32_list){ prefs, n };
	m.data = (struct sv_list){ data, n };
	int rc = n && (!types || !ttls || !prefs || !data)
	                 ? err_set(e, ERR_TEMP, "an answer is too large")
	                 : msg_dns_answer_send(conn, &m, id, NULL, 0, fiber_deadline(ANSWER_MS), e);
	arena_free(&a);
	return rc;
}

void dnsd_serve(struct server_conn *c)
{
	struct dnsd *d = c->state;
	struct ipc_conn *conn = ipc_conn_new(c->fd);
	struct ipc_frame f;
	struct err e = ERR_INIT;
	int rc;
	for (;;) {
		struct msg_dns_query q;
		server_conn_idle(c, true);
		rc = ipc_recv(conn, &f, fiber_deadline(IDLE_MS), &e);
		server_conn_idle(c, false);
		if (rc != 1)
			break;
		arena_reset(c->arena);
		rc = msg_dns_query_from(&f, c->arena, &q, &e);
		if (rc < 0)
			break;
		struct dnsd_result *r = answer_question(d, &q);
		rc = send_answer(conn, f.request_id, r, &e);
		result_release(r);
		if (rc < 0)
			break;
	}
	if (rc < 0 && !server_is_stopping(c->server))
		log_debug("a client's connection ends: %s", e.text);
	ipc_conn_free(conn);
}
