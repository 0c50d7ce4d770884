/*
 * The servers of a destination, from DNS:
 *
 *     domain:  MX records -> addresses of each, ourselves and what is worse left out
 *              no MX      -> addresses of the domain itself (RFC 5321 5.1)
 *              null MX    -> no mail at all (RFC 7505)
 *     [host]:  addresses
 *
 * "There is none" fails the mail; "could not find out" makes it wait.
 */
#include <sys/socket.h>

#include "lib/clnt/clnt_dns.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/idna.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "smtp/smtpc.h"

#define DNS_MS    (100 * 1000) /* dnsd_timeout is shorter */
#define HOSTS_MAX 500          /* addresses of one destination */
#define NAMES_MAX 50           /* MX hosts whose addresses are looked for; the best ones */
#define MX_PORT   25

struct search {
	struct smtpc *p;
	const struct smtpc_dest *dest;
	struct arena *a;
	struct smtpc_hosts *out;
	struct smtpc_why *why;
};

static uint64_t any_number(void *ctx)
{
	(void)ctx;
	return rand_u64();
}

static int name_error(struct search *q, struct sv name, const char *type, struct dsn_code dsn, const char *what)
{
	smtpc_because(q->why, dsn, "Host or domain name not found. Name service error for name=%.*s type=%s: %s",
		SV_ARG(name), type, what);
	q->why->dead = dsn.cls == 4;
	return -1;
}

static int add(struct search *q, struct sv host, struct sv ip, unsigned pref)
{
	struct smtpc_hosts *o = q->out;
	if (o->n >= HOSTS_MAX)
		return 0;
	if (!o->v)
		o->v = arena_array(q->a, HOSTS_MAX, sizeof(*o->v));
	struct sv name = arena_sv(q->a, host);
	if (!o->v || !name.p) {
		smtpc_because(q->why, DSN(4, 3, 0), "out of memory for the servers of %.*s", SV_ARG(q->dest->name));
		return -1;
	}
	struct smtpc_addr *to = &o->v[o->n];
	*to = (struct smtpc_addr){ .host = name, .pref = pref,
		.family = addr_ipv4_valid(ip) ? AF_INET : AF_INET6 };
	if (sv_copyz(ip, to->ip, sizeof(to->ip)) < 0 || smtpc_order_bogus(to->family, to->ip))
		log_warn("%.*s has the address \"%.*s\", which is no host's: skipped", SV_ARG(host), SV_ARG(ip));
	else
		o->n++;
	return 0;
}

/* Addresses of HOST of one family. 1, 0 none, -1 could not find out (*WHY in any case but 1). */
static int one_family(struct search *q, struct sv host, unsigned type, unsigned pref)
{
	const char *name = type == CLNT_DNS_A ? "A" : "AAAA";
	struct clnt_dns_answer answer;
	struct err e = ERR_INIT;
	int rc = clnt_dns_query(q->p->dns, host, type, q->a, &answer, fiber_deadline(DNS_MS), &e);
	if (rc < 0)
		return name_error(q, host, name, DSN(4, 4, 3), "Host not found, try again");
	if (rc == 0) {
		(void)name_error(q, host, name, DSN(5, 4, 4),
			answer.status == CLNT_DNS_NO_DATA    ? "Host found but no data record of requested type"
			: answer.status == CLNT_DNS_BAD_NAME ? "Malformed name"
			: answer.status == CLNT_DNS_INVALID  ? "Malformed or unexpected name server reply"
							     : "Host not found");
		return 0;
	}
	size_t before = q->out->n;
	for (size_t i = 0; i < answer.n; i++)
		if (add(q, host, answer.record[i].data, pref) < 0)
			return -1;
	if (q->out->n > before)
		return 1;
	(void)name_error(q, host, name, DSN(5, 4, 4), "Host found but no usable address");
	return 0;
}

/* All addresses of HOST. 1 some, 0 none, -1 could not find out. */
static int addresses(struct search *q, struct sv host, unsigned pref)
{
	size_t before = q->out->n;
	struct smtpc_why failed = { .set = false };
	int v6 = q->p->set.ipv6 ? one_family(q, host, CLNT_DNS_AAAA, pref) : 0;
	if (v6 < 0)
		failed = *q->why;
	int v4 = q->p->set.ipv4 ? one_family(q, host, CLNT_DNS_A, pref) : 0;
	if (q->out->n > before)
		return 1;
	if (v6 < 0)
		*q->why = failed;
	return v6 < 0 || v4 < 0 ? -1 : 0;
}

/* One that cannot be found out does not hide the others; if there is no other it decides: the mail waits. */
static int addresses_of_all(struct search *q, const struct clnt_dns_answer *mx)
{
	struct smtpc_why failed = { .set = false };
	for (size_t i = 0; i < mx->n && i < NAMES_MAX; i++)
		if (addresses(q, mx->record[i].data, mx->record[i].preference) < 0)
			failed = *q->why;
	if (q->out->n > 0)
		return 1;
	if (failed.set) {
		*q->why = failed;
		return -1;
	}
	log_warn("no MX host for %.*s has a valid address record", SV_ARG(q->dest->name));
	if (q->p->set.defer_without_address) {
		q->why->dsn = DSN(4, 4, 4);
		q->why->dead = true;
	}
	return -1;
}

static bool is_own(const struct smtpc *p, const struct smtpc_addr *a)
{
	return own_addresses_have(p->own, sv_z(a->ip));
}

static int loops(struct search *q, bool *own)
{
	*own = true;
	smtpc_because(q->why, DSN(5, 4, 6), "mail for %.*s loops back to myself", SV_ARG(q->dest->name));
	return -1;
}

/* Without what is as good as we are or worse: such a server would send the mail to us. */
static int drop_self(struct search *q, unsigned best, bool *own)
{
	struct smtpc_hosts *o = q->out;
	smtpc_order_by_pref(o->v, o->n);
	for (size_t i = 0; i < o->n; i++) {
		if (!is_own(q->p, &o->v[i]))
			continue;
		unsigned found = o->v[0].pref;
		o->n = smtpc_order_better(o->v, o->n, o->v[i].pref);
		if (o->n > 0)
			return 1;
		if (found == best)
			return loops(q, own);
		/* a better one is in DNS and has no address now */
		smtpc_because(q->why, DSN(4, 4, 4), "unable to find primary relay for %.*s", SV_ARG(q->dest->name));
		return -1;
	}
	return 1;
}

static int by_host(struct search *q, struct sv host, bool *own)
{
	if (addresses(q, host, 0) < 1)
		return -1;
	for (size_t i = 0; q->dest->port == MX_PORT && i < q->out->n; i++)
		if (is_own(q->p, &q->out->v[i]))
			return loops(q, own);
	return 1;
}

static int by_mx(struct search *q, struct sv domain, bool *own)
{
	struct clnt_dns_answer mx;
	struct err e = ERR_INIT;
	int rc = clnt_dns_query(q->p->dns, domain, CLNT_DNS_MX, q->a, &mx, fiber_deadline(DNS_MS), &e);
	if (rc < 0 && !q->p->set.ignore_mx_error)
		return name_error(q, domain, "MX", DSN(4, 4, 3), "Host not found, try again");
	if (rc == 0 && mx.status == CLNT_DNS_BAD_NAME)
		return name_error(q, domain, "MX", DSN(5, 4, 4), "Malformed name");
	if (rc == 0 && mx.status == CLNT_DNS_INVALID)
		return name_error(q, domain, "MX", DSN(5, 4, 4), "Malformed or unexpected name server reply");
	if (rc <= 0)
		return by_host(q, domain, own);
	if (clnt_dns_is_null_mx(&mx)) {
		smtpc_because(q->why, DSN(5, 1, 0), "Domain %.*s does not accept mail (nullMX)", SV_ARG(domain));
		return -1;
	}
	if (addresses_of_all(q, &mx) < 0)
		return -1;
	return q->dest->port == MX_PORT ? drop_self(q, mx.record[0].preference, own) : 1;
}

static int by_address(struct search *q, bool *own)
{
	if (add(q, q->dest->name, q->dest->name, 0) < 0)
		return -1;
	if (q->out->n == 0)
		return name_error(q, q->dest->name, "A", DSN(5, 4, 4), "Host found but no usable address");
	return q->dest->port == MX_PORT && is_own(q->p, &q->out->v[0]) ? loops(q, own) : 1;
}

int smtpc_hosts_find(struct smtpc *p, const struct smtpc_dest *d, struct arena *a, struct smtpc_hosts *out,
	bool *own, struct smtpc_why *why)
{
	struct search q = { .p = p, .dest = d, .a = a, .out = out, .why = why };
	struct smtpc_order order = p->set.order;
	struct err e = ERR_INIT;
	struct buf ascii;
	int rc;
	*out = (struct smtpc_hosts){ .n = 0 };
	*own = false;
	buf_init(&ascii, 1024);
	if (d->kind == SMTPC_DEST_ADDRESS) {
		rc = by_address(&q, own);
	} else if (idna_to_ascii(&ascii, d->name, &e) < 0) {
		rc = name_error(&q, d->name, "MX", DSN(5, 4, 4), "Malformed name");
	} else {
		struct sv name = buf_sv(&ascii);
		rc = d->kind == SMTPC_DEST_DOMAIN && p->set.use_mx ? by_mx(&q, name, own) : by_host(&q, name, own);
	}
	buf_free(&ascii);
	if (rc < 1)
		return -1;
	order.random = any_number;
	out->n = smtpc_order_choose(out->v, out->n, &order);
	return 0;
}
