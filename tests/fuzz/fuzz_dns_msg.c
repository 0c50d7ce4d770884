/* links: wire mail */
/* DNS answers: octet 0 chooses the type asked for; names that come out are text. */
#include "lib/wire/dns_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_rr(const struct dns_rr *rr)
{
	check(sv_is_print(rr->owner) && sv_is_print(rr->name));
	check(rr->ttl <= INT32_MAX);
	check(rr->type != DNS_A || rr->data.len == 4);
	check(rr->type != DNS_AAAA || rr->data.len == 16);
	check(rr->type != DNS_TLSA || rr->data.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned types[] = { DNS_A, DNS_MX, DNS_TXT, DNS_AAAA, DNS_PTR, DNS_CNAME, DNS_SRV,
		DNS_TLSA };
	if (size < 1)
		return 0;
	struct sv msg = sv_n((const char *)data + 1, size - 1);
	unsigned type = types[data[0] % ARRAY_LEN(types)];
	struct arena a;
	struct dns_answer ans;
	struct err e = ERR_INIT;
	arena_init(&a, 4 << 20);
	if (dns_answer_parse(msg, SV("d.example"), type, &a, &ans, &e) == 1) {
		for (size_t i = 0; i < ans.count; i++) {
			check_rr(&ans.rr[i]);
			check(ans.rr[i].type == type || ans.rr[i].type == DNS_CNAME ||
				ans.rr[i].type == DNS_SOA);
		}
	} else {
		check(e.cls == ERR_TEMP);
	}
	struct buf b;
	buf_init(&b, 1024);
	if (dns_query_build(&b, 1, sv_upto(msg, 300), type, data[0] & 128) < 0)
		check(b.len == 0);
	buf_free(&b);
	arena_free(&a);
	return 0;
}
