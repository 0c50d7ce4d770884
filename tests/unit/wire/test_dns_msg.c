/* Unit test of lib/wire/dns_msg.c; rows K01, K03, K06, K07 of the attack catalogue. */
#include "lib/wire/dns_msg.h"
#include "tests/support/t.h"

/* Messages are written by hand: header with one question "d.example", offset 12 is its name. */
#define HEAD(an, ns) "\x12\x34\x81\x80\0\x01\0" an "\0" ns "\0\0"
#define Q(type)      "\1d\7example\0\0" type "\0\1"
#define PTR          "\xc0\x0c"
#define RR(type, len) PTR "\0" type "\0\1\0\0\0\x3c\0" len

/* want: "rcode canonical; type ttl pref name|data; ..." or "!why" */
static const struct {
	const char *name;
	const char *msg;
	size_t len;
	unsigned type;
	const char *want;
} cases[] = {
	{ "A", L(HEAD("\1", "\0") Q("\1") RR("\1", "\4") "\x7f\0\0\1"), DNS_A,
		"0 d.example; A 60 0 |7f000001; " },
	{ "MX with a pointer", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\7") "\0\x0a\2mx\xc0\x0c"), DNS_MX,
		"0 d.example; MX 60 10 mx.d.example|; " },
	{ "null MX", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\3") "\0\0\0"), DNS_MX,
		"0 d.example; MX 60 0 |; " },
	{ "AAAA", L(HEAD("\1", "\0") Q("\x1c") RR("\x1c", "\x10") "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"),
		DNS_AAAA, "0 d.example; AAAA 60 0 |00000000000000000000000000000001; " },
	{ "TXT", L(HEAD("\1", "\0") Q("\x10") RR("\x10", "\6") "\2v=\2s1"), DNS_TXT,
		"0 d.example; TXT 60 0 |763d7331; " },
	{ "SRV", L(HEAD("\1", "\0") Q("\x21") RR("\x21", "\x0b") "\0\1\0\2\0\x19\2mx\xc0\x0c"), DNS_SRV,
		"0 d.example; SRV 60 1 mx.d.example|; " },
	{ "TLSA", L(HEAD("\1", "\0") Q("\x34") RR("\x34", "\5") "\3\1\1\xab\xcd"), DNS_TLSA,
		"0 d.example; TLSA 60 0 |abcd; " },
	{ "CNAME chain", L(HEAD("\2", "\0") Q("\1") RR("\5", "\4") "\1w\xc0\x0c"
			"\1w\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_A,
		"0 w.d.example; CNAME 60 0 w.d.example|; A 1 0 |01020304; " },
	{ "K06 out of bailiwick", L(HEAD("\2", "\0") Q("\1") RR("\1", "\4") "\1\2\3\4"
			"\4evil\0\0\1\0\1\0\0\0\1\0\4\6\6\6\6"), DNS_A, "0 d.example; A 60 0 |01020304; " },
	{ "NXDOMAIN with SOA", L("\x12\x34\x81\x83\0\x01\0\0\0\1\0\0" Q("\1") RR("\6", "\x18")
			"\xc0\x0c\xc0\x0c\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x1e"), DNS_A,
		"3 d.example; SOA 60 0 d.example|; ttl 30" },
	{ "K07 odd PTR", L(HEAD("\1", "\0") Q("\x0c") RR("\x0c", "\6") "\4a\n%.\0"), DNS_PTR,
		"0 d.example; PTR 60 0 !a\\010%\\046|; " },
	{ "K06 TTL over 2^31", L(HEAD("\1", "\0") Q("\1") PTR "\0\1\0\1\x80\0\0\0\0\4\1\2\3\4"), DNS_A,
		"0 d.example; A 0 0 |01020304; " },
	{ "other class is dropped", L(HEAD("\1", "\0") Q("\1") PTR "\0\1\0\3\0\0\0\1\0\4\1\2\3\4"), DNS_A,
		"0 d.example; " },
	{ "K03 CNAME loop", L(HEAD("\1", "\0") Q("\1") RR("\5", "\2") "\xc0\x0c"), DNS_A,
		"!too many CNAME records in a row" },
	{ "K06 empty", L(""), DNS_A, "!message too short" },
	{ "K06 header only", L(HEAD("\0", "\0")), DNS_A, "!name runs past the message" },
	{ "K06 a query", L("\x12\x34\x01\x00\0\x01\0\0\0\0\0\0" Q("\1")),
		DNS_A, "!not an answer to a query" },
	{ "K06 no question", L("\x12\x34\x81\x80\0\0\0\0\0\0\0\0"), DNS_A, "!not exactly one question" },
	{ "K06 wrong question", L(HEAD("\0", "\0") "\1e\7example\0\0\1\0\1"), DNS_A,
		"!answer to another question" },
	{ "K06 wrong type", L(HEAD("\0", "\0") Q("\x0f")), DNS_A, "!answer to another question" },
	{ "K06 MX 0", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\0")), DNS_MX, "!MX record too short" },
	{ "K06 MX 1", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\1") "\0"), DNS_MX, "!MX record too short" },
	{ "K06 MX 2", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\2") "\0\1"), DNS_MX, "!MX record too short" },
	{ "K06 SRV 6", L(HEAD("\1", "\0") Q("\x21") RR("\x21", "\6") "\0\1\0\2\0\3"), DNS_SRV,
		"!SRV record too short" },
	{ "K06 TLSA 0", L(HEAD("\1", "\0") Q("\x34") RR("\x34", "\0")), DNS_TLSA, "!TLSA record too short" },
	{ "K06 TLSA 3", L(HEAD("\1", "\0") Q("\x34") RR("\x34", "\3") "\3\1\1"), DNS_TLSA,
		"!TLSA record too short" },
	{ "K06 TXT lies", L(HEAD("\1", "\0") Q("\x10") RR("\x10", "\3") "\5ab"), DNS_TXT,
		"!TXT string longer than its record" },
	{ "K06 TXT 0", L(HEAD("\1", "\0") Q("\x10") RR("\x10", "\0")),
		DNS_TXT, "!TXT record without a string" },
	{ "K06 A 3", L(HEAD("\1", "\0") Q("\1") RR("\1", "\3") "\1\2\3"),
		DNS_A, "!A record is not 4 octets" },
	{ "K06 AAAA 15", L(HEAD("\1", "\0") Q("\x1c") RR("\x1c", "\x0f") "000000000000000"), DNS_AAAA,
		"!AAAA record is not 16 octets" },
	{ "K06 AAAA 17", L(HEAD("\1", "\0") Q("\x1c") RR("\x1c", "\x11") "00000000000000000"), DNS_AAAA,
		"!AAAA record is not 16 octets" },
	{ "K06 rdata past the end", L(HEAD("\1", "\0") Q("\1") RR("\1", "\4") "\1\2"), DNS_A,
		"!record runs past the message" },
	{ "K06 pointer to itself", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\4") "\0\1\xc0\x29"), DNS_MX,
		"!name points forward" },
	{ "K06 forward pointer", L(HEAD("\0", "\0") "\xc0\x20\0\1\0\1"), DNS_A, "!name points forward" },
	{ "K06 pointer into the header", L(HEAD("\0", "\0") "\xc0\x02\0\1\0\1"),
		DNS_A, "!name points forward" },
	{ "K06 label 64", L(HEAD("\0", "\0") "\x40"), DNS_A, "!unknown label type" },
	{ "K06 name without end", L(HEAD("\0", "\0") "\1d"), DNS_A, "!name runs past the message" },
	{ "K06 name longer than rdata", L(HEAD("\1", "\0") Q("\x0f") RR("\x0f", "\4") "\0\1\5abcde\0"),
		DNS_MX,
		"!record is longer or shorter than its type" },
};

static void show(struct buf *b, const struct dns_answer *ans)
{
	buf_printf(b, "%d %.*s; ", ans->rcode, SV_ARG(ans->canonical));
	for (size_t i = 0; i < ans->count; i++) {
		const struct dns_rr *rr = &ans->rr[i];
		bool odd = rr->type == DNS_PTR && !rr->name_ok;
		buf_printf(b, "%s %u %u %s%.*s|", dns_type_name(rr->type), rr->ttl, rr->pref,
			odd ? "!" : "", SV_ARG(rr->name));
		for (size_t k = 0; k < rr->data.len; k++)
			buf_printf(b, "%02x", (unsigned char)rr->data.p[k]);
		buf_puts(b, "; ");
	}
	if (ans->negative_ttl)
		buf_printf(b, "ttl %u", ans->negative_ttl);
}

static void reads_answers(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct dns_answer ans;
		struct err e = ERR_INIT;
		struct buf b;
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		t_case(cases[i].name);
		struct sv msg = sv_n(cases[i].msg, cases[i].len);
		if (dns_answer_parse(msg, SV("D.example."), cases[i].type, &a, &ans, &e) == 1) {
			assert_int_equal(ans.id, 0x1234);
			show(&b, &ans);
		} else {
			assert_int_equal(e.cls, ERR_TEMP);
			struct sv why = sv_z(e.text);
			ptrdiff_t at = sv_find(why, SV("): "));
			buf_printf(&b, "!%s", e.text + (at < 0 ? 0 : at + 3));
		}
		t_assert_sv(buf_sv(&b), cases[i].want);
		/* cut at every octet: an error, never a crash */
		for (size_t n = 0; n < cases[i].len; n++) {
			char *cut = mem_svdup(sv_upto(msg, n));
			arena_reset(&a);
			assert_int_equal(dns_answer_parse(sv_n(cut, n), SV("d.example"), cases[i].type, &a,
						 &ans, &e),
				-1);
			free(cut);
		}
		buf_free(&b);
		arena_free(&a);
	}
}

static void builds_queries(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	assert_int_equal(dns_query_build(&b, 0x1234, SV("d.example."), DNS_MX, false), 0);
	static const char want[] = "\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\1d\7example\0\0\x0f\0\1"
				   "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.p, want, b.len);
	buf_reset(&b);
	assert_int_equal(dns_query_build(&b, 0x1234, SV("d.example"), DNS_TLSA, true), 0);
	static const char signatures[] = "\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\1d\7example\0\0\x34\0\1"
					 "\0\0\x29\x04\xd0\0\0\x80\0\0\0";
	assert_int_equal(b.len, sizeof(signatures) - 1);
	assert_memory_equal(b.p, signatures, b.len);
	buf_reset(&b);
	static const char *const bad[] = { "a..b", ".", ".a", "a b", "a\n",
		"0123456789012345678901234567890123456789012345678901234567890123.x" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		t_case(bad[i]);
		int rc = dns_query_build(&b, 1, sv_z(bad[i]), DNS_A, false);
		if (rc != (i == 1 ? 0 : -1)) /* "." is the root */
			fail_msg("[%s]", bad[i]);
	}
	buf_reset(&b);
	assert_int_equal(dns_reverse_name(&b, SV("\1\2\3\4")), 0);
	t_assert_sv(buf_sv(&b), "4.3.2.1.in-addr.arpa");
	buf_reset(&b);
	assert_int_equal(dns_reverse_name(&b, SV("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")), 0);
	t_assert_sv(buf_sv(&b), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_int_equal(dns_reverse_name(&b, SV("abc")), -1);
	buf_free(&b);
	assert_string_equal(dns_type_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(builds_queries),
	};
	return cmocka_run_group_tests_name("dns_msg", tests, NULL, NULL);
}
