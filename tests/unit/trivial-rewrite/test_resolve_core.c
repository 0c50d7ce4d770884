/* Unit test of trivial-rewrite/resolve_core.c: recipients (ATTACKS rows E03, E04) and classes. */
#include "tests/support/t.h"
#include "trivial-rewrite/resolve_core.h"

#define LOCAL  (REWRITE_LOCAL)
#define ROUTED (REWRITE_ROUTED)
#define BAD    (REWRITE_MALFORMED)

static const char *const lists[RESOLVE_LIST_COUNT][3] = {
	[RESOLVE_MYDESTINATION] = { "here.example", "localhost", NULL },
	[RESOLVE_VIRTUAL_ALIAS_DOMAINS] = { "alias.example", NULL },
	[RESOLVE_VIRTUAL_MAILBOX_DOMAINS] = { "boxes.example", NULL },
	[RESOLVE_RELAY_DOMAINS] = { "backup.example", NULL },
};

static int fake_list(void *ctx, enum resolve_list which, struct sv domain, struct err *e)
{
	(void)ctx;
	if (sv_eqz(domain, "broken.example"))
		return err_set(e, ERR_TEMP, "table is broken");
	for (size_t i = 0; lists[which][i]; i++)
		if (sv_eqz(domain, lists[which][i]))
			return 1;
	return 0;
}

static bool fake_own(void *ctx, struct sv ip)
{
	(void)ctx;
	return sv_eqz(ip, "127.0.0.1") || sv_eqz(ip, "::1");
}

static const struct {
	const char *rcpt, *entry;
} transports[] = {
	{ "full@route.example", "smtp:[gw.example]:2525" },
	{ "only-channel@route.example", "slow:" },
	{ "only-nexthop@route.example", ":other.example" },
	{ "nothing@route.example", ":" },
	{ "error@route.example", "error:5.7.1 closed" },
	{ "bare-error@route.example", "error:" },
	{ "local-too@here.example", "discard:" },
	{ "channel-no-colon@route.example", "slow" },
};

static int fake_transport(void *ctx, struct sv rcpt, struct buf *value, struct err *e)
{
	(void)ctx;
	if (sv_eqz(rcpt, "maps@fail.example"))
		return err_set(e, ERR_TEMP, "transport_maps is broken");
	for (size_t i = 0; i < ARRAY_LEN(transports); i++)
		if (sv_eqz(rcpt, transports[i].rcpt)) {
			buf_puts(value, transports[i].entry);
			return 1;
		}
	return 0;
}

static struct resolve_rules rules(void)
{
	return (struct resolve_rules){
		.rewrite = { true, false, true, true },
		.local = { SV("here.example"), SV("example") },
		.dequoted = true,
		.empty_recipient = SV("MAILER-DAEMON"),
		.myhostname = SV("here.example"),
		.local_transport = SV("local:here.example"),
		.virtual_transport = SV("virtual"),
		.relay_transport = SV("relay"),
		.default_transport = SV("smtp"),
		.show_table_name = true,
		.ops = { .list = fake_list, .own_address = fake_own, .transport = fake_transport },
	};
}

struct one {
	const char *in, *transport, *nexthop, *recipient;
	uint32_t flags, cls;
};

static const struct one cases[] = {
	{ "u@here.example", "local", "here.example", "u@here.example", LOCAL, 1 },
	{ "u@HERE.example", "local", "here.example", "u@HERE.example", LOCAL, 1 },
	{ "u@here.example.", "local", "here.example", "u@here.example", LOCAL, 1 },
	{ "u", "local", "here.example", "u@here.example", LOCAL, 1 },
	{ "", "local", "here.example", "MAILER-DAEMON@here.example", LOCAL, 1 },
	{ "@here.example", "local", "here.example", "MAILER-DAEMON@here.example", LOCAL, 1 },
	{ "u@far.example", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "u@backup.example", "relay", "backup.example", "u@backup.example", 0, 8 },
	{ "u@boxes.example", "virtual", "boxes.example", "u@boxes.example", LOCAL, 4 },
	{ "u@alias.example", "error", "5.1.1 User unknown in virtual alias table",
	        "u@alias.example", LOCAL, 2 },
	/* E03: source routes */
	{ "@a,@b:u@far.example", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "@here.example:u@here.example", "local", "here.example", "u@here.example", LOCAL, 1 },
	{ "@a,@b:u@here.example", "local", "here.example", "u@here.example", LOCAL, 1 },
	/* E04: routing operators lead to a foreign recipient that relay rules see, or nowhere */
	{ "u%far.example@here.example", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "far.example!u@here.example", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "u@far.example@here.example", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "u%far.example%here.example@here.example", "smtp", "far.example", "u@far.example", 0,
	        16 },
	{ "u@far.example@[127.0.0.1]", "smtp", "far.example", "u@far.example", 0, 16 },
	{ "a b%far.example@here.example", "smtp", "far.example", "a b@far.example", 0, 16 },
	{ "u%here.example@here.example", "local", "here.example", "u@here.example", LOCAL, 1 },
	{ "u%x@far.example", "smtp", "far.example", "u%x@far.example", ROUTED, 16 },
	{ "x!u@far.example", "smtp", "far.example", "x!u@far.example", ROUTED, 16 },
	{ "u@x@backup.example", "relay", "backup.example", "u@x@backup.example", ROUTED, 8 },
	{ "a.example!b!c", "smtp", "a.example", "b!c@a.example", ROUTED, 16 },
	{ "!", "error", NULL, "MAILER-DAEMON@", BAD, 16 },
	{ "!!!!", "error", NULL, NULL, BAD, 16 },
	{ "%", "error", NULL, NULL, BAD, 16 },
	{ "u@", "error", NULL, "u@", BAD, 16 },
	{ "@far.example", "error", NULL, "@far.example", BAD, 16 },
	{ "u@.", "error", NULL, "u@.", BAD, 16 },
	{ "u@far.", "smtp", "far", "u@far", 0, 16 },
	{ "u@-d.example", "error", NULL, "u@-d.example", BAD, 16 },
	{ "u@d..e", "error", NULL, "u@d..e", BAD, 16 },
	{ "u@here.example..", "error", NULL, "u@here.example..", BAD, 16 },
	{ "u@[127.0.0.1]", "local", "here.example", "u@[127.0.0.1]", LOCAL, 1 },
	{ "u@[IPv6:::1]", "local", "here.example", "u@[IPv6:::1]", LOCAL, 1 },
	{ "u@[192.0.2.1]", "smtp", "[192.0.2.1]", "u@[192.0.2.1]", 0, 16 },
	{ "u@[x]", "error", NULL, "u@[x]", BAD, 16 },
	{ "u@192.0.2.1", "error", NULL, "u@192.0.2.1", BAD, 16 },
	{ "-rf@here.example", "error", NULL, "-rf@here.example", BAD, 16 },
	{ "-rf@far.example", "error", NULL, "-rf@far.example", BAD, 16 },
	/* transport_maps */
	{ "full@route.example", "smtp", "[gw.example]:2525", "full@route.example", 0, 16 },
	{ "only-channel@route.example", "slow", "route.example", "only-channel@route.example", 0,
	        16 },
	{ "channel-no-colon@route.example", "slow", "route.example",
	        "channel-no-colon@route.example", 0, 16 },
	{ "only-nexthop@route.example", "smtp", "other.example", "only-nexthop@route.example", 0,
	        16 },
	{ "nothing@route.example", "smtp", "route.example", "nothing@route.example", 0, 16 },
	{ "error@route.example", "error", "5.7.1 closed", "error@route.example", 0, 16 },
	{ "bare-error@route.example", "error", "Address is undeliverable",
	        "bare-error@route.example", 0, 16 },
	{ "local-too@here.example", "discard", "here.example", "local-too@here.example", LOCAL, 1 },
};

static void check(const struct resolve_rules *r, const struct one *c)
{
	struct arena a;
	struct err e = ERR_INIT;
	struct clnt_resolved out;
	arena_init(&a, 1 << 20);
	t_case(c->in);
	assert_int_equal(resolve_addr(r, SV_NONE, sv_z(c->in), &a, &out, &e), 1);
	t_assert_sv(out.transport, c->transport);
	if (c->nexthop)
		t_assert_sv(out.nexthop, c->nexthop);
	if (c->recipient)
		t_assert_sv(out.recipient, c->recipient);
	assert_int_equal(out.flags, c->flags);
	assert_int_equal(out.cls, c->cls);
	arena_free(&a);
}

static void table(void **state)
{
	(void)state;
	struct resolve_rules r = rules();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&r, &cases[i]);
}

static void settings(void **state)
{
	(void)state;
	struct resolve_rules r = rules();
	r.relayhost = SV("[gate.example]");
	check(&r,
	        &(struct one){ "u@far.example", "smtp", "[gate.example]", "u@far.example", 0, 16 });
	check(&r, &(struct one){ "u@backup.example", "relay", "[gate.example]", "u@backup.example",
	                  0, 8 });
	check(&r, &(struct one){
	                  "u@here.example", "local", "here.example", "u@here.example", LOCAL, 1 });
	r.default_transport = SV("smtp:[explicit.example]");
	check(&r, &(struct one){
	                  "u@far.example", "smtp", "[explicit.example]", "u@far.example", 0, 16 });
	r = rules();
	r.null_domain = true;
	check(&r, &(struct one){ "u@", "local", "here.example", "u@here.example", LOCAL, 1 });
	r = rules();
	r.numeric_domain = true;
	check(&r, &(struct one){ "u@192.0.2.1", "smtp", "[192.0.2.1]", "u@[192.0.2.1]", 0, 16 });
	/* found by fuzzing: a number that is ours may not hide operators */
	check(&r,
	        &(struct one){ "u%far.example%127.0.0.1", "smtp", "far.example", "u@far.example", 0,
	                16 });
	check(&r,
	        &(struct one){ "u%far.example@127.0.0.1", "smtp", "far.example", "u@far.example", 0,
	                16 });
	check(&r,
	        &(struct one){ "u@127.0.0.1", "local", "here.example", "u@[127.0.0.1]", LOCAL, 1 });
	r = rules();
	r.allow_min_user = true;
	check(&r, &(struct one){ "-f@here.example", "local", "here.example", "-f@here.example",
	                  LOCAL, 1 });
	r = rules();
	r.dequoted = false;
	check(&r, &(struct one){ "u@far.example@here.example", "local", "here.example",
	                  "u@far.example@here.example", LOCAL | ROUTED, 1 });
	r = rules();
	r.rewrite.percent_hack = false;
	check(&r, &(struct one){ "u%far.example@here.example", "local", "here.example",
	                  "u%far.example@here.example", LOCAL | ROUTED, 1 });
	r = rules();
	r.empty_recipient = SV("");
	check(&r, &(struct one){ "", "error", NULL, NULL, BAD, 16 });
}

static const struct {
	enum resolve_by_sender which;
	const char *sender, *entry;
} by_sender[] = {
	{ RESOLVE_SENDER_RELAYHOST, "anna@here.example", "[isp-a.example]:587" },
	{ RESOLVE_SENDER_RELAYHOST, "dunno@here.example", "DUNNO" },
	{ RESOLVE_SENDER_RELAYHOST, "empty@here.example", " " },
	{ RESOLVE_SENDER_RELAYHOST, "", "[bounces.example]" },
	{ RESOLVE_SENDER_TRANSPORT, "slow@here.example", "slow:" },
	{ RESOLVE_SENDER_TRANSPORT, "hop@here.example", "slow:[hop.example]" },
	{ RESOLVE_SENDER_TRANSPORT, "dunno@here.example", "dunno" },
};

static int fake_by_sender(void *ctx, enum resolve_by_sender which, struct sv sender,
        struct buf *value, struct err *e)
{
	(void)ctx;
	if (sv_eqz(sender, "fail@here.example"))
		return err_set(e, ERR_TEMP, "table is broken");
	for (size_t i = 0; i < ARRAY_LEN(by_sender); i++)
		if (by_sender[i].which == which && sv_eqz(sender, by_sender[i].sender)) {
			buf_puts(value, by_sender[i].entry);
			return 1;
		}
	return 0;
}

/* sender_dependent_default_transport_maps is for the default class only, relayhost for the relay class, too;
 * transport_maps goes before both. */
static void by_the_sender(void **state)
{
	(void)state;
	static const struct {
		const char *sender, *rcpt, *transport, *nexthop;
		uint32_t flags;
	} want[] = {
		{ "anna@here.example", "u@far.example", "smtp", "[isp-a.example]:587", REWRITE_BY_SENDER },
		{ "anna@here.example", "u@backup.example", "relay", "[isp-a.example]:587",
		        REWRITE_BY_SENDER },
		{ "anna@here.example", "u@here.example", "local", "here.example", LOCAL },
		{ "anna@here.example", "u@boxes.example", "virtual", "boxes.example", LOCAL },
		{ "anna@here.example", "full@route.example", "smtp", "[gw.example]:2525",
		        REWRITE_BY_SENDER },
		{ "anna@here.example", "only-channel@route.example", "slow", "route.example",
		        REWRITE_BY_SENDER },
		{ "other@here.example", "u@far.example", "smtp", "[all.example]", REWRITE_BY_SENDER },
		{ "dunno@here.example", "u@far.example", "smtp", "[all.example]", REWRITE_BY_SENDER },
		{ "", "u@far.example", "smtp", "[bounces.example]", REWRITE_BY_SENDER },
		{ "slow@here.example", "u@far.example", "slow", "[all.example]", REWRITE_BY_SENDER },
		{ "slow@here.example", "u@backup.example", "relay", "[all.example]", REWRITE_BY_SENDER },
		{ "hop@here.example", "u@far.example", "slow", "[hop.example]", REWRITE_BY_SENDER },
	};
	struct resolve_rules r = rules();
	r.relayhost = SV("[all.example]");
	r.ops.by_sender = fake_by_sender;
	struct arena a;
	struct err e = ERR_INIT;
	struct clnt_resolved out;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		t_case(want[i].sender);
		assert_int_equal(
		        resolve_addr(&r, sv_z(want[i].sender), sv_z(want[i].rcpt), &a, &out, &e), 1);
		t_assert_sv(out.transport, want[i].transport);
		t_assert_sv(out.nexthop, want[i].nexthop);
		assert_int_equal(out.flags, want[i].flags);
	}
	static const char *const failing[] = { "fail@here.example", "empty@here.example" };
	for (size_t i = 0; i < ARRAY_LEN(failing); i++)
		assert_int_equal(
		        resolve_addr(&r, sv_z(failing[i]), SV("u@far.example"), &a, &out, &e), -1);
	arena_free(&a);
}

static int fake_relocated(void *ctx, struct sv rcpt, bool local, struct buf *value, struct err *e)
{
	(void)ctx;
	if (sv_eqz(rcpt, "moved@fail.example"))
		return err_set(e, ERR_TEMP, "table is broken");
	if (!sv_starts(rcpt, SV("moved@")) && !sv_starts(rcpt, SV("full@")))
		return 0;
	buf_puts(value, local ? "near@new.example\n" : "new@new.example");
	return 1;
}

static void who_has_moved(void **state)
{
	(void)state;
	struct resolve_rules r = rules();
	r.ops.relocated = fake_relocated;
	check(&r, &(struct one){ "moved@here.example", "error", "5.1.6 User has moved to near@new.example",
	                  "moved@here.example", LOCAL, 1 });
	check(&r, &(struct one){ "moved@far.example", "error", "5.1.6 User has moved to new@new.example",
	                  "moved@far.example", 0, 16 });
	check(&r, &(struct one){ "full@route.example", "error", "5.1.6 User has moved to new@new.example",
	                  "full@route.example", 0, 16 });
	check(&r, &(struct one){ "moved@alias.example", "error",
	                  "5.1.1 User unknown in virtual alias table", "moved@alias.example", LOCAL, 2 });
	struct arena a;
	struct err e = ERR_INIT;
	struct clnt_resolved out;
	arena_init(&a, 1 << 20);
	assert_int_equal(resolve_addr(&r, SV_NONE, SV("moved@fail.example"), &a, &out, &e), -1);
	arena_free(&a);
}

/* our own trouble is temporary, never "not found" */
static void failures(void **state)
{
	(void)state;
	static const char *const in[] = { "u@broken.example", "maps@fail.example",
		"u@far.example" };
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct resolve_rules r = rules();
		struct arena a;
		struct err e = ERR_INIT;
		struct clnt_resolved out;
		if (i == 2)
			r.default_transport = SV("");
		arena_init(&a, 1 << 20);
		t_case(in[i]);
		assert_int_equal(resolve_addr(&r, SV_NONE, sv_z(in[i]), &a, &out, &e), -1);
		assert_true(e.cls == ERR_TEMP || e.cls == ERR_CONFIG);
		arena_free(&a);
	}
}

static void hostile_lengths_end(void **state)
{
	(void)state;
	static const char pieces[] = { '!', '%', '@', '.', 'a', '"' };
	struct resolve_rules r = rules();
	for (size_t p = 0; p < sizeof(pieces); p++)
		for (size_t n = 1; n < 2000; n = n * 3 + 1) {
			struct arena a;
			struct err e = ERR_INIT;
			struct clnt_resolved out;
			char *z = mem_alloc(n + 1);
			memset(z, pieces[p], n);
			arena_init(&a, 64 << 20);
			assert_int_equal(resolve_addr(&r, SV_NONE, sv_n(z, n), &a, &out, &e), 1);
			arena_free(&a);
			free(z);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(settings),
		cmocka_unit_test(failures),
		cmocka_unit_test(by_the_sender),
		cmocka_unit_test(who_has_moved),
		cmocka_unit_test(hostile_lengths_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
