/*
 * lib/wire/dns_msg.h - DNS messages: build a query, read an answer.
 *
 * Layer:     wire (pure; memory from the caller's arena).
 * Ownership: records live in the arena.
 * Errors:    1 done; -1 refused (the resolver should ask another server; never "no such name").
 * Security:  hostile: compression pointers go backwards only, names are bounded, RDATA shorter
 *            or longer than its type's form is refused, the question must be ours (ATTACKS K06);
 *            names with octets that no host name has are marked, so that they reach no log raw.
 * Standards: RFC 1035 4, RFC 2181 5, RFC 2308 (negative TTL), 2782 (SRV), 6698 (TLSA), 3596 (AAAA).
 */
#ifndef WIRE_DNS_MSG_H
#define WIRE_DNS_MSG_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52,
};

enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

struct dns_rr {
	uint16_t type;
	uint32_t ttl;       /* values over 2^31-1 are 0 (RFC 2181 8) */
	struct sv owner;    /* text form, no dot at the end, lower case; "" is the root */
	bool name_ok;       /* PTR MX CNAME NS SRV: .name is a valid host name (or the root for MX) */
	struct sv name;     /* target of PTR MX CNAME NS SRV; MNAME of SOA */
	uint16_t pref;      /* MX preference, SRV priority */
	uint16_t weight, port;          /* SRV */
	uint8_t usage, selector, mtype; /* TLSA */
	struct sv data;     /* A: 4 octets; AAAA: 16; TXT: strings joined; TLSA: association data */
	uint32_t soa_min;
};

struct dns_answer {
	uint16_t id;
	int rcode;
	bool aa, tc, ad;
	struct sv canonical; /* QNAME with its CNAMEs followed */
	struct dns_rr *rr;   /* CNAMEs of that chain, records of TYPE at its end, SOA of the
	                        authority section; anything else the answer held is dropped */
	size_t count;
	uint32_t negative_ttl; /* min(SOA ttl, SOA minimum) of the authority section, or 0 */
};

#define DNS_NAME_MAX 253
#define DNS_RR_MAX   2000
#define DNS_CNAME_MAX 16

const char *dns_type_name(unsigned type); /* "MX", "TYPE99" is not made up: "?" */
/* Append a query in wire form; it asks for the AD flag (RFC 6840 5.7). 0, or -1: NAME is no domain name.
 * DNSSEC asks for the signatures, too (EDNS DO). */
MUST_USE int dns_query_build(struct buf *out, uint16_t id, struct sv name, unsigned type,
	bool dnssec);
/* Read MSG, an answer to (QNAME, TYPE); ID is for the caller to compare. */
MUST_USE int dns_answer_parse(struct sv msg, struct sv qname, unsigned type, struct arena *a,
	struct dns_answer *out, struct err *e);
/* "4.3.2.1.in-addr.arpa" for 4 or 16 octets. 0, or -1. */
MUST_USE int dns_reverse_name(struct buf *out, struct sv octets);

#endif
