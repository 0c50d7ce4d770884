/*
 * dnsd/dnsd.h - the private types of dnsd: results, cache, hosts file, resolver.
 *
 * Layer:     daemon.
 * Ownership: results are counted and never change once made; cache, waiters and answers share them.
 * Security:  the octets of strangers' name servers end in dnsd_result.c: what leaves is addresses
 * in text, valid host names, octets of TXT and TLSA. Standards: RFC 1035, 2308 (negative answers), 6761 6.3
 * (localhost), 7505 (null MX), 6698 (TLSA).
 */
#ifndef DNSD_DNSD_H
#define DNSD_DNSD_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/clnt/clnt_dns.h"
#include "lib/config/params.h"
#include "lib/server/server.h"
#include "lib/wire/dns_msg.h"

#define DNSD_CHAIN_MAX   8 /* messages that one chain of CNAMEs may take */
#define DNSD_RECORDS_MAX 200
#define DNSD_KEY_MAX     (DNS_NAME_MAX + 16)

/* --- results: dnsd_result.c ---------------------------------------------------------------------
 */

struct dnsd_record {
	uint32_t ttl, preference;
	struct sv data;
};

struct dnsd_result {
	unsigned refs;
	enum clnt_dns_status status;
	uint16_t type;
	int64_t made_ms, expires_ms; /* expires_ms <= made_ms: not for the cache */
	struct arena arena;
	struct dnsd_record *records;
	size_t n;
	struct sv canonical;
	bool authenticated; /* AD of every message of the chain */
	struct sv error;    /* CLNT_DNS_AGAIN, CLNT_DNS_INVALID: why */
};

struct dnsd_bounds {
	int64_t max_ttl_s, max_negative_ttl_s;
};

struct dnsd_result *result_new(enum clnt_dns_status status, uint16_t type);
struct dnsd_result *result_hold(struct dnsd_result *r);
void result_release(struct dnsd_result *r); /* NULL allowed */
struct dnsd_result *result_failed(uint16_t type, const char *fmt, ...) PRINTF_LIKE(2, 3);
/*
 * 0, or -1 when the result is full: the record is left out, of MX records the one that is preferred the
 * least.
 */
int result_add(struct dnsd_result *r, uint32_t ttl, uint32_t preference, struct sv data);

/*
 * The result of ANSWER for (NAME, TYPE). The chain of CNAMEs may end outside of the message: then
 * the last name is in *next and the caller asks again. the result; NULL with *next set
 */
struct dnsd_result *result_from_answer(struct sv name, uint16_t type, const struct dns_answer *a,
        const struct dnsd_bounds *bounds, int64_t now_ms, char next[DNS_NAME_MAX + 1]);

/* --- cache: dnsd_cache.c -------------------------------------------------------------------------
 */

struct dnsd_cache {
	struct htab table; /* key -> struct cache_entry */
	struct list used;  /* least recently used first */
	size_t max_entries, max_octets, octets;
	uint64_t hits, misses;
};

void cache_init(struct dnsd_cache *c, struct hash_seed seed, size_t max_entries, size_t max_octets);
void cache_fini(struct dnsd_cache *c);
/* A result that is still good, held for the caller; NULL. */
struct dnsd_result *cache_get(struct dnsd_cache *c, struct sv key, int64_t now_ms);
void cache_put(struct dnsd_cache *c, struct sv key, struct dnsd_result *r);

/* --- hosts file: dnsd_hosts.c
 * --------------------------------------------------------------------- */

struct dnsd_hosts {
	struct arena arena;
	struct host_line {
		struct sv address; /* as inet_ntop() writes it */
		uint16_t type;     /* CLNT_DNS_A or CLNT_DNS_AAAA */
		struct sv *names;  /* lower case; the first is the canonical one */
		size_t n;
	} * lines;
	size_t count;
};

/* TEXT of /etc/hosts. Lines that make no sense are skipped, as NSS does. */
void hosts_parse(struct dnsd_hosts *h, struct sv text);
void hosts_fini(struct dnsd_hosts *h);
/* The answer of the hosts file (and for localhost); NULL: ask DNS. NAME in lower case, or for PTR
 * the address as inet_ntop() writes it. */
struct dnsd_result *hosts_lookup(const struct dnsd_hosts *h, struct sv name, uint16_t type);

/* --- resolver: dnsd_resolver.c
 * -------------------------------------------------------------------- */

struct dnsd_resolver;

#define DNSD_WAYS 2 /* the servers as configured; from the second one on */

/* SERVERS: "" for resolv.conf, else "192.0.2.1 [2001:db8::1]:5353, ...". Before the jail. */
struct dnsd_resolver *resolver_new(const char *servers, long timeout_s, struct err *e);
/* In the event loop: the fibers that serve its sockets and time-outs. */
int resolver_run(struct dnsd_resolver *r, struct err *e);
/*
 * Ask by WAY 0, or by the next one when a server's reply was of no use: it begins with another server,
 * where there is one. MSG (init by the caller) gets the reply's octets.
 *   1  a reply; -1  none that is one until DEADLINE, E says why
 */
MUST_USE int resolver_ask(struct dnsd_resolver *r, unsigned way, struct sv name, uint16_t type,
        struct buf *msg, int64_t deadline, struct err *e);

/* --- questions: dnsd_query.c
 * ------------------------------------------------------------------------ */

struct dnsd {
	struct params_dnsd params;
	struct dnsd_bounds bounds;
	struct dnsd_cache cache;
	struct dnsd_hosts hosts;
	struct dnsd_resolver *resolver;
	struct htab
	        pending; /* key -> struct pending: one question to the outside for all who ask */
};

int dnsd_pre_jail(struct server *s, struct err *e);
int dnsd_post_jail(struct server *s, struct err *e);
void dnsd_serve(struct server_conn *c);

#endif
