/* links: trivial_rewrite_core */
/*
 * Resolving hostile recipients: it ends, and what is called ours holds no routing operator. That is
 * what the relay rules of smtpd stand on (ATTACKS E03, E04).
 */
#include <stdlib.h>

#include "lib/mail/addr.h"
#include "trivial-rewrite/resolve_core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fake_list(void *ctx, enum resolve_list which, struct sv domain, struct err *e)
{
	(void)ctx;
	(void)e;
	return which == RESOLVE_MYDESTINATION &&
	       (sv_eqz(domain, "h") || sv_eqz(domain, "here.example"));
}

static bool fake_own(void *ctx, struct sv ip)
{
	(void)ctx;
	return sv_eqz(ip, "127.0.0.1");
}

static int fake_transport(void *ctx, struct sv rcpt, struct buf *value, struct err *e)
{
	(void)ctx;
	(void)e;
	if (!sv_starts(rcpt, SV("t")))
		return 0;
	buf_put_sv(value, rcpt);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct resolve_rules r = {
		.rewrite = { true, true, true, true },
		.local = { SV("here.example"), SV("example") },
		.dequoted = true,
		.numeric_domain = size > 0 && (data[0] & 1),
		.null_domain = size > 0 && (data[0] & 2),
		.smtputf8 = size > 0 && (data[0] & 4),
		.empty_recipient = SV("MAILER-DAEMON"),
		.myhostname = SV("here.example"),
		.local_transport = SV("local:here"),
		.virtual_transport = SV("virtual"),
		.relay_transport = SV("relay"),
		.default_transport = SV("smtp"),
		.ops = { .list = fake_list, .own_address = fake_own, .transport = fake_transport },
	};
	struct arena a;
	struct err e = ERR_INIT;
	struct clnt_resolved out;
	struct sv local, domain, in = sv_n((const char *)data, size);
	in = sv_from(in, 1);
	arena_init(&a, 64 << 20);
	int rc = resolve_addr(&r, SV_NONE, in, &a, &out, &e);
	if (rc != 1 && e.cls != ERR_CONFIG)
		abort();
	if (rc == 1 && !(out.flags & REWRITE_MALFORMED)) {
		if (!addr_split(out.recipient, &local, &domain) || local.len == 0 ||
		        domain.len == 0)
			abort();
		if (out.flags & REWRITE_LOCAL)
			for (size_t i = 0; i < local.len; i++)
				if (local.p[i] == '@' || local.p[i] == '%' || local.p[i] == '!')
					abort();
	}
	arena_free(&a);
	return 0;
}
