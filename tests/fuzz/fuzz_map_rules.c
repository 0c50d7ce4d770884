/* links: map mail sys base */
/* Any source of a regexp: or cidr: table, asked for a few keys: ends, stays inside its memory. */
#include "lib/base/buf.h"
#include "lib/map/rules.h"
#include "lib/sys/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pattern of nested repeats may cost regcomp() any amount of memory: that is the admin's. */
static bool costly(struct sv text)
{
	size_t repeats = 0;
	for (size_t i = 0; i < text.len; i++)
		repeats += text.p[i] == '{' || text.p[i] == '*' || text.p[i] == '+';
	return repeats > 4 || text.len > 2000;
}

static void ask(const struct rule_ops *ops, struct sv text)
{
	static const struct sv keys[] = { SV_INIT("user@example.com"), SV_INIT("10.0.0.1"),
					  SV_INIT("2001:db8::1"), SV_INIT("a"), SV_INIT("\0x") };
	struct rules r;
	struct err e = ERR_INIT;
	struct buf out;
	if (rules_parse(&r, ops, text, "fuzz", 0, &e) < 0)
		return;
	buf_init(&out, 65536);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		buf_reset(&out);
		if (rules_match(&r, keys[i], &out) == 0 && out.len > 0)
			abort();
	}
	buf_free(&out);
	rules_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	ask(&rule_cidr_ops, text);
	if (!costly(text))
		ask(&rule_regexp_ops, text);
	return 0;
}
