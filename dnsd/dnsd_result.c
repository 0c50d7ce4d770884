#include "dnsd/dnsd.h"

#include <arpa/inet.h>
#include <stdarg.h>

#include "lib/sys/clock.h"

#define RESULT_OCTETS_MAX (128 * 1024)

struct dnsd_result *result_new(enum clnt_dns_status status, uint16_t type)
{
	struct dnsd_result *r = mem_alloc(sizeof *r);
	r->refs = 1;
	r->status = status;
	r->type = type;
	r->made_ms = r->expires_ms = clock_mono_ms();
	arena_init(&r->arena, RESULT_OCTETS_MAX);
	return r;
}

struct dnsd_result *result_hold(struct dnsd_result *r)
{
	r->refs++;
	return r;
}

void result_release(struct dnsd_result *r)
{
	if (!r || --r->refs > 0)
		return;
	arena_free(&r->arena);
	free(r);
}

struct dnsd_result *result_failed(uint16_t type, const char *fmt, ...)
{
	struct dnsd_result *r = result_new(CLNT_DNS_AGAIN, type);
	char text[ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->error = arena_sv(&r->arena, sv_z(text));
	return r;
}

int result_add(struct dnsd_result *r, uint32_t ttl, uint32_t preference, struct sv data)
{
	if (r->n >= DNSD_RECORDS_MAX && r->records[r->n - 1].preference <= preference)
		return -1;
	if (!r->records)
		r->records = arena_array(&r->arena, DNSD_RECORDS_MAX, sizeof *r->records);
	struct sv copy = arena_sv(&r->arena, data);
	if (!r->records || !copy.p)
		return -1;
	/* by preference, equal ones in the order of the answer: the name server shuffles them */
	size_t at = r->n < DNSD_RECORDS_MAX ? r->n++ : r->n - 1;
	while (at > 0 && r->records[at - 1].preference > preference) {
		r->records[at] = r->records[at - 1];
		at--;
	}
	r->records[at] = (struct dnsd_record){ .ttl = ttl, .preference = preference, .data = copy };
	return 0;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* RDATA again: the client reads it where it compares certificates. */
static void add_tlsa(struct dnsd_result *r, const struct dns_rr *rr, uint32_t ttl)
{
	size_t len = rr->data.len + 3;
	char *rdata = arena_alloc(&r->arena, len);
	if (!rdata)
		return;
	rdata[0] = (char)rr->usage;
	rdata[1] = (char)rr->selector;
	rdata[2] = (char)rr->mtype;
	memcpy(rdata + 3, rr->data.p, rr->data.len);
	(void)result_add(r, ttl, 0, sv_n(rdata, len));
}

/* RFC 7505 3: "." beside other MX records has no meaning. */
static void drop_root_beside_hosts(struct dnsd_result *r)
{
	size_t hosts = 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->records[i].data.len > 0)
			r->records[hosts++] = r->records[i];
	r->n = hosts > 0 || r->n == 0 ? hosts : 1; /* "." twice is "." */
}

/* Append what one record of the answer says, if it is anything that a caller may see. */
static void add_record(struct dnsd_result *r, const struct dns_rr *rr, uint32_t ttl)
{
	char text[INET6_ADDRSTRLEN];
	switch (r->type) {
	case CLNT_DNS_A:
	case CLNT_DNS_AAAA:
		if (rr->data.len != (r->type == CLNT_DNS_A ? 4 : 16) ||
		        !inet_ntop(r->type == CLNT_DNS_A ? AF_INET : AF_INET6, rr->data.p, text,
		                sizeof text))
			return;
		(void)result_add(r, ttl, 0, sv_z(text));
		return;
	case CLNT_DNS_TXT: (void)result_add(r, ttl, 0, rr->data); return;
	case CLNT_DNS_TLSA: add_tlsa(r, rr, ttl); return;
	default:
		if (rr->name_ok)
			(void)result_add(r, ttl, rr->pref, rr->name);
	}
}

struct dnsd_result *result_from_answer(struct sv name, uint16_t type, const struct dns_answer *a,
        const struct dnsd_bounds *bounds, int64_t now_ms, char next[DNS_NAME_MAX + 1])
{
	struct sv end = a->canonical;
	uint32_t ttl = (uint32_t)bounds->max_ttl_s;
	next[0] = '\0';
	if (a->rcode != DNS_NOERROR && a->rcode != DNS_NXDOMAIN)
		return result_failed(
		        type, "name servers answer with code %d for %.*s", a->rcode, SV_ARG(name));
	struct dnsd_result *r = result_new(CLNT_DNS_ANSWER, type);
	bool have = false;
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_rr *rr = &a->rr[i];
		if (rr->type == DNS_CNAME)
			ttl = lesser(ttl, rr->ttl);
		if (rr->type != type)
			continue;
		have = true;
		uint32_t own = lesser(rr->ttl, (uint32_t)bounds->max_ttl_s);
		add_record(r, rr, own);
		ttl = lesser(ttl, own);
	}
	bool aliased = !sv_ieq(end, name);
	if (!have && aliased && a->rcode == DNS_NOERROR && a->negative_ttl == 0 &&
	        sv_copyz(end, next, DNS_NAME_MAX + 1) == 0) {
		result_release(r);
		return NULL;
	}
	r->canonical = arena_sv(&r->arena, end);
	r->authenticated = a->ad;
	if (type == CLNT_DNS_MX)
		drop_root_beside_hosts(r);
	if (r->n == 0 && have) {
		r->status = CLNT_DNS_INVALID;
		ttl = lesser(ttl, (uint32_t)bounds->max_negative_ttl_s);
	} else if (r->n == 0) {
		r->status = a->rcode == DNS_NXDOMAIN ? CLNT_DNS_NO_NAME : CLNT_DNS_NO_DATA;
		ttl = lesser(a->negative_ttl, (uint32_t)bounds->max_negative_ttl_s);
	}
	r->made_ms = now_ms;
	r->expires_ms = now_ms + (int64_t)ttl * 1000;
	return r;
}
