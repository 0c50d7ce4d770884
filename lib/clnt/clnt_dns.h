/*
 * lib/clnt/clnt_dns.h - ask dnsd.
 *
 * Layer:     clnt (event loop; runs in a fiber).
 * Ownership: everything in an answer lives in the caller's arena.
 * Errors:    "no such name" and "could not find out" are different results; never treat -1 as 0.
 * Security:  dnsd has checked every answer; names in records are still a stranger's choice:
 *            letters, digits, '-', '_' and '.' only, other host names are left out by dnsd.
 *            TXT data is any octets.
 *
 *     struct ipc_pool *dns = server_pool(s, "dns", 8);
 *     int rc = clnt_dns_query(dns, SV("example.org"), CLNT_DNS_MX, arena, &answer, deadline, &e);
 */
#ifndef CLNT_CLNT_DNS_H
#define CLNT_CLNT_DNS_H

#include "lib/ipc/ipc.h"

/* By their numbers in DNS. */
enum clnt_dns_type {
	CLNT_DNS_A = 1,
	CLNT_DNS_PTR = 12,
	CLNT_DNS_MX = 15,
	CLNT_DNS_TXT = 16,
	CLNT_DNS_AAAA = 28,
	CLNT_DNS_TLSA = 52
};

/* As on the wire of lib/ipc/msg/dns.def. */
enum clnt_dns_status {
	CLNT_DNS_ANSWER = 0,
	CLNT_DNS_NO_NAME = 1, /* NXDOMAIN */
	CLNT_DNS_NO_DATA = 2, /* the name exists, without records of that type */
	CLNT_DNS_AGAIN = 3,
	CLNT_DNS_BAD_NAME = 4, /* not a name that DNS can hold, not an address (PTR) */
	CLNT_DNS_INVALID = 5   /* there are records, but none that anybody could use: MX hosts that
				  are no host names; not NO_DATA, as then an MX would be implied */
};

struct clnt_dns_record {
	unsigned type;       /* as asked; CNAMEs are followed by dnsd */
	unsigned ttl;        /* seconds it may still be used */
	unsigned preference; /* MX */
	struct sv data;      /* address in text; host name without the last dot ("" is "." of RFC 7505);
				TXT octets, strings joined; TLSA: usage, selector, matching type,
				then the association data (RFC 6698 2.1) */
};

struct clnt_dns_answer {
	enum clnt_dns_status status;
	struct clnt_dns_record *record; /* MX in order of preference */
	size_t n;
	struct sv canonical; /* the name at the end of the CNAMEs */
	/* The name server says that it has checked the signatures of all of this, also that there is
	 * none. Worth as much as the way to that server: believe it where an admin says so. */
	bool authenticated;
};

/* RFC 7505: the domain takes no mail. dnsd leaves "." out where a domain has other MX records, too. */
bool clnt_dns_is_null_mx(const struct clnt_dns_answer *a);

/*
 * Records of TYPE for NAME (A-labels; for PTR the address in text, "192.0.2.1" or "2001:db8::1").
 *   1  records in *out
 *   0  none: out->status is CLNT_DNS_NO_NAME, _NO_DATA, _BAD_NAME or _INVALID
 *  -1  could not find out, *e says why (class TEMP); ask again later
 */
MUST_USE int clnt_dns_query(struct ipc_pool *dns, struct sv name, unsigned type, struct arena *a,
	struct clnt_dns_answer *out, int64_t deadline, struct err *e);

#endif
