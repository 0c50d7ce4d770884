/* links: smtp_core */
/* What an admin's next hop and a server's EHLO are read as: any octets, views inside of them, numbers in range. */
#include "smtp/smtpc_dest.h"
#include "smtp/smtpc_ehlo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct sv part, struct sv whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void destinations(struct sv in, bool lmtp)
{
	const struct smtpc_ports ports = { .names = "lmtp=24, smtp=25, a=b=587, bad=, =1, x", .standard = "smtp",
		.lmtp = lmtp };
	struct sv list = in, one;
	while (smtpc_dest_take(&list, &one)) {
		struct smtpc_dest d;
		struct err e = ERR_INIT;
		check(one.len > 0 && inside(one, in));
		if (smtpc_dest_parse(one, &ports, &d, &e) < 0) {
			check(e.cls == ERR_CONFIG && e.text[0]);
			continue;
		}
		check(d.name.len > 0 && inside(d.name, one) && sv_eq(d.text, one));
		check(d.kind == SMTPC_DEST_UNIX ? lmtp && d.port == 0 : d.port >= 1 && d.port <= 65535);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct smtpc_ehlo said, less;
	destinations(in, false);
	destinations(in, true);
	smtpc_ehlo_parse(in, 0, &said);
	check(inside(said.domain, in) && (said.features & SMTPC_EHLO));
	smtpc_ehlo_parse(in, said.features & ~(unsigned)SMTPC_EHLO, &less);
	check(less.features == SMTPC_EHLO && less.size == 0);
	return 0;
}
