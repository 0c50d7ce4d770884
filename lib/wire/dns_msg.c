#include "lib/wire/dns_msg.h"

#include "lib/mail/addr.h"

enum { HEADER = 12, WIRE_NAME_MAX = 255, CLASS_IN = 1, TYPE_OPT = 41 };

static const struct {
	uint16_t type;
	const char *name;
} type_names[] = {
	{ DNS_A, "A" }, { DNS_NS, "NS" }, { DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },
	{ DNS_PTR, "PTR" }, { DNS_MX, "MX" }, { DNS_TXT, "TXT" }, { DNS_AAAA, "AAAA" },
	{ DNS_SRV, "SRV" }, { DNS_TLSA, "TLSA" },
};

const char *dns_type_name(unsigned type)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "?";
}

/* ---- queries ---- */

static int put_u16(struct buf *out, unsigned v)
{
	char o[2] = { (char)(v >> 8), (char)v };
	return buf_put(out, o, 2);
}

static int put_name(struct buf *out, struct sv name)
{
	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len > DNS_NAME_MAX)
		return -1;
	while (name.len) {
		bool more = sv_chr(name, '.') >= 0;
		struct sv label = sv_take_until(&name, '.');
		if (label.len == 0 || label.len > ADDR_LABEL_MAX || !sv_is_print(label) ||
			sv_chr(label, ' ') >= 0 || (more && name.len == 0))
			return -1;
		if (buf_putc(out, (char)label.len) < 0 || buf_put_sv(out, label) < 0)
			return -1;
	}
	return buf_putc(out, '\0');
}

int dns_query_build(struct buf *out, uint16_t id, struct sv name, unsigned type, bool dnssec)
{
	enum { RD = 0x0100, AD = 0x0020, DO = 0x8000, UDP_SIZE = 1232 };
	size_t mark = out->len;
	int rc = put_u16(out, id);
	rc |= put_u16(out, RD | AD);
	rc |= put_u16(out, 1);
	rc |= put_u16(out, 0);
	rc |= put_u16(out, 0);
	rc |= put_u16(out, 1);
	rc |= put_name(out, name);
	rc |= put_u16(out, type);
	rc |= put_u16(out, CLASS_IN);
	/* EDNS (RFC 6891 6.1): the root, OPT, payload size, extended rcode, version, flags, no options */
	rc |= buf_putc(out, '\0');
	rc |= put_u16(out, TYPE_OPT);
	rc |= put_u16(out, UDP_SIZE);
	rc |= put_u16(out, 0);
	rc |= put_u16(out, dnssec ? DO : 0);
	rc |= put_u16(out, 0);
	if (rc < 0)
		buf_truncate(out, mark);
	return rc < 0 ? -1 : 0;
}

int dns_reverse_name(struct buf *out, struct sv octets)
{
	int rc = 0;
	if (octets.len == 4) {
		for (size_t i = 4; i-- > 0;)
			rc |= buf_printf(out, "%u.", (unsigned)(unsigned char)octets.p[i]);
		return rc | buf_puts(out, "in-addr.arpa");
	}
	if (octets.len != 16)
		return -1;
	for (size_t i = 16; i-- > 0;) {
		unsigned octet = (unsigned char)octets.p[i];
		rc |= buf_printf(out, "%x.%x.", octet & 15, octet >> 4);
	}
	return rc | buf_puts(out, "ip6.arpa");
}

/* ---- answers ---- */

struct reader {
	struct sv msg;
	size_t pos;
	struct arena *a;
	const char *why;
};

static int bad(struct reader *r, const char *why)
{
	r->why = why;
	return -1;
}

static int take_u16(struct reader *r, uint16_t *out)
{
	if (r->msg.len - r->pos < 2)
		return bad(r, "message too short");
	const unsigned char *p = (const unsigned char *)r->msg.p + r->pos;
	*out = (uint16_t)(p[0] << 8 | p[1]);
	r->pos += 2;
	return 0;
}

static int take_u32(struct reader *r, uint32_t *out)
{
	uint16_t hi, lo;
	if (take_u16(r, &hi) < 0 || take_u16(r, &lo) < 0)
		return -1;
	*out = (uint32_t)hi << 16 | lo;
	return 0;
}

/* Octets that cannot stand in text become \DDD (RFC 1035 5.1). */
static void put_label(struct buf *b, struct sv label)
{
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.p[i];
		if (c > ' ' && c < 0x7f && c != '.' && c != '\\')
			buf_putc(b, ascii_lower((char)c));
		else
			buf_printf(b, "\\%03u", c);
	}
}

/* A name at r->pos, which may point backwards only: every jump goes to a smaller offset, so the
 * walk ends. */
static int walk_name(struct reader *r, struct buf *text)
{
	size_t pos = r->pos, before = r->pos, length = 1;
	bool jumped = false;
	for (;;) {
		if (pos >= r->msg.len)
			return bad(r, "name runs past the message");
		unsigned char n = (unsigned char)r->msg.p[pos];
		if (n >= 0xc0) {
			if (pos + 1 >= r->msg.len)
				return bad(r, "pointer runs past the message");
			size_t to = (size_t)(n & 0x3f) << 8 | (unsigned char)r->msg.p[pos + 1];
			if (!jumped)
				r->pos = pos + 2;
			if (to >= before || to < HEADER)
				return bad(r, "name points forward");
			jumped = true;
			before = pos = to;
			continue;
		}
		if (n > ADDR_LABEL_MAX)
			return bad(r, "unknown label type");
		if (n == 0)
			break;
		length += n + 1u;
		if (length > WIRE_NAME_MAX || pos + 1 + n > r->msg.len)
			return bad(r, "name too long");
		if (text->len)
			buf_putc(text, '.');
		put_label(text, sv_sub(r->msg, pos + 1, n));
		pos += 1 + n;
	}
	if (!jumped)
		r->pos = pos + 1;
	return 0;
}

static int take_name(struct reader *r, struct sv *out)
{
	struct buf text;
	buf_init(&text, 4UL * WIRE_NAME_MAX);
	int rc = walk_name(r, &text);
	if (rc == 0) {
		*out = arena_sv(r->a, buf_sv(&text));
		if (!out->p)
			rc = bad(r, "answer too large");
	}
	buf_free(&text);
	return rc;
}

/* The strings of a TXT record, joined. */
static int take_txt(struct reader *r, size_t end, struct dns_rr *rr)
{
	char *text = arena_alloc(r->a, end - r->pos + 1);
	size_t n = 0;
	if (!text)
		return bad(r, "answer too large");
	if (r->pos == end)
		return bad(r, "TXT record without a string");
	while (r->pos < end) {
		size_t len = (unsigned char)r->msg.p[r->pos++];
		if (len > end - r->pos)
			return bad(r, "TXT string longer than its record");
		memcpy(text + n, r->msg.p + r->pos, len);
		n += len;
		r->pos += len;
	}
	rr->data = sv_n(text, n);
	return 0;
}

static int take_octets(struct reader *r, size_t n, struct dns_rr *rr)
{
	rr->data = arena_sv(r->a, sv_sub(r->msg, r->pos, n));
	r->pos += n;
	return rr->data.p ? 0 : bad(r, "answer too large");
}

static int take_target(struct reader *r, struct dns_rr *rr)
{
	if (take_name(r, &rr->name) < 0)
		return -1;
	rr->name_ok = addr_hostname_valid(rr->name) || (rr->type == DNS_MX && rr->name.len == 0);
	return 0;
}

static int take_tlsa(struct reader *r, size_t end, struct dns_rr *rr)
{
	if (end - r->pos < 4)
		return bad(r, "TLSA record too short");
	const unsigned char *p = (const unsigned char *)r->msg.p + r->pos;
	rr->usage = p[0];
	rr->selector = p[1];
	rr->mtype = p[2];
	r->pos += 3;
	return take_octets(r, end - r->pos, rr);
}

static int take_soa(struct reader *r, struct dns_rr *rr)
{
	struct sv rname;
	uint32_t v = 0;
	if (take_name(r, &rr->name) < 0 || take_name(r, &rname) < 0)
		return -1;
	for (int i = 0; i < 5; i++) /* serial, refresh, retry, expire, minimum */
		if (take_u32(r, &v) < 0)
			return -1;
	rr->soa_min = v;
	return 0;
}

/* RDATA of [r->pos, end): its form must fill it exactly. */
static int take_rdata(struct reader *r, size_t end, struct dns_rr *rr)
{
	size_t len = end - r->pos;
	int rc = 0;
	switch (rr->type) {
	case DNS_A:
		rc = len == 4 ? take_octets(r, 4, rr) : bad(r, "A record is not 4 octets");
		break;
	case DNS_AAAA:
		rc = len == 16 ? take_octets(r, 16, rr) : bad(r, "AAAA record is not 16 octets");
		break;
	case DNS_MX:
		rc = len >= 3 ? take_u16(r, &rr->pref) : bad(r, "MX record too short");
		rc = rc < 0 ? rc : take_target(r, rr);
		break;
	case DNS_SRV:
		rc = len >= 7 ? take_u16(r, &rr->pref) : bad(r, "SRV record too short");
		rc = rc < 0 ? rc : take_u16(r, &rr->weight);
		rc |= take_u16(r, &rr->port);
		rc = rc < 0 ? rc : take_target(r, rr);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR: rc = len ? take_target(r, rr) : bad(r, "record without a name"); break;
	case DNS_TXT: rc = take_txt(r, end, rr); break;
	case DNS_TLSA: rc = take_tlsa(r, end, rr); break;
	case DNS_SOA: rc = take_soa(r, rr); break;
	default: r->pos = end; break;
	}
	if (rc == 0 && r->pos != end)
		return bad(r, "record is longer or shorter than its type");
	return rc;
}

/* One record; *keep is false for classes and types that nobody here reads. */
static int take_rr(struct reader *r, struct dns_rr *rr, bool *keep)
{
	uint16_t class, rdlen;
	*rr = (struct dns_rr){ .type = 0 };
	if (take_name(r, &rr->owner) < 0 || take_u16(r, &rr->type) < 0 || take_u16(r, &class) < 0 ||
		take_u32(r, &rr->ttl) < 0 || take_u16(r, &rdlen) < 0)
		return -1;
	if (rdlen > r->msg.len - r->pos)
		return bad(r, "record runs past the message");
	if (rr->ttl > INT32_MAX)
		rr->ttl = 0;
	size_t end = r->pos + rdlen;
	*keep = class == CLASS_IN && dns_type_name(rr->type)[0] != '?';
	if (!*keep) {
		r->pos = end;
		return 0;
	}
	return take_rdata(r, end, rr);
}

/* Keep what answers the question: the chain of CNAMEs from QNAME, records of TYPE at its end. */
static int follow_chain(struct reader *r, unsigned type, struct dns_answer *out)
{
	struct sv name = out->canonical;
	size_t kept = 0;
	bool more = type != DNS_CNAME;
	for (unsigned hops = 0; more; hops++) {
		more = false;
		for (size_t i = 0; i < out->count && !more; i++)
			if (out->rr[i].type == DNS_CNAME && sv_ieq(out->rr[i].owner, name)) {
				struct dns_rr cname = out->rr[i];
				if (hops == DNS_CNAME_MAX)
					return bad(r, "too many CNAME records in a row");
				name = cname.name;
				more = true;
			}
	}
	for (size_t i = 0; i < out->count; i++) {
		bool cname = out->rr[i].type == DNS_CNAME && type != DNS_CNAME;
		if (cname || (out->rr[i].type == type && sv_ieq(out->rr[i].owner, name)))
			out->rr[kept++] = out->rr[i];
	}
	out->count = kept;
	out->canonical = name;
	return 0;
}

static int take_question(struct reader *r, struct sv qname, unsigned type, struct dns_answer *out)
{
	uint16_t qtype, class;
	if (take_name(r, &out->canonical) < 0 || take_u16(r, &qtype) < 0 || take_u16(r, &class) < 0)
		return -1;
	if (qname.len && qname.p[qname.len - 1] == '.')
		qname.len--;
	if (!sv_ieq(out->canonical, qname) || qtype != type || class != CLASS_IN)
		return bad(r, "answer to another question");
	return 0;
}

static int take_records(struct reader *r, unsigned answers, unsigned authority, unsigned type,
	struct dns_answer *out)
{
	struct dns_rr rr;
	bool keep;
	size_t room = answers + 1u;
	if (room > DNS_RR_MAX)
		return bad(r, "too many records");
	out->rr = arena_array(r->a, room, sizeof(*out->rr));
	if (!out->rr)
		return bad(r, "answer too large");
	for (unsigned i = 0; i < answers; i++) {
		if (take_rr(r, &rr, &keep) < 0)
			return -1;
		if (keep)
			out->rr[out->count++] = rr;
	}
	if (follow_chain(r, type, out) < 0)
		return -1;
	for (unsigned i = 0; i < authority; i++) {
		if (take_rr(r, &rr, &keep) < 0)
			return -1;
		if (keep && rr.type == DNS_SOA && out->count < room && out->negative_ttl == 0) {
			out->negative_ttl = rr.ttl < rr.soa_min ? rr.ttl : rr.soa_min;
			out->rr[out->count++] = rr;
		}
	}
	return 0;
}

int dns_answer_parse(struct sv msg, struct sv qname, unsigned type, struct arena *a,
	struct dns_answer *out, struct err *e)
{
	struct reader r = { .msg = msg, .a = a };
	uint16_t flags, questions, answers, authority, additional;
	*out = (struct dns_answer){ .id = 0 };
	int rc = 0;
	if (take_u16(&r, &out->id) < 0 || take_u16(&r, &flags) < 0 || take_u16(&r, &questions) < 0 ||
		take_u16(&r, &answers) < 0 || take_u16(&r, &authority) < 0 ||
		take_u16(&r, &additional) < 0)
		rc = -1;
	if (rc == 0 && ((flags & 0x8000) == 0 || (flags & 0x7800) != 0))
		rc = bad(&r, "not an answer to a query");
	if (rc == 0 && questions != 1)
		rc = bad(&r, "not exactly one question");
	if (rc == 0) {
		out->aa = flags & 0x0400;
		out->tc = flags & 0x0200;
		out->ad = flags & 0x0020;
		out->rcode = flags & 15;
		rc = take_question(&r, qname, type, out);
	}
	if (rc == 0)
		rc = take_records(&r, answers, authority, type, out);
	if (rc < 0)
		return err_set(e, ERR_TEMP, "malformed DNS answer (type %s): %s", dns_type_name(type),
			r.why);
	return 1;
}
