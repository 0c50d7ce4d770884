/* Unit test of local/: who is meant by the members of an alias, which .forward counts, loops. */
#include "tests/support/t.h"

#include <stdio.h>

#include "lib/mail/alias_grammar.h"
#include "local/local.h"

static const struct {
	const char *text;
	bool lines;
	int rc;
	bool self;
	const char *addresses; /* then the members, as "|command" and "/file" */
} expansions[] = {
	{ "bob", false, 0, false, "bob@example.test|" },
	{ "bob, bob, BOB@example.test, c@d", false, 0, false, "bob@example.test|c@d|" },
	{ "anna", false, 0, true, "" },
	{ "\\anna, bob", true, 0, true, "bob@example.test|" },
	{ "anna+work@example.test", false, 0, true, "" },
	{ "Anna@LOCALHOST", false, 0, true, "" },
	{ "anna@elsewhere.test", false, 0, false, "anna@elsewhere.test|" },
	{ "\\bob", true, 0, false, "\\bob@example.test|" },
	{ "# only a comment\n\n", true, 0, false, "" },
	{ "\"|/bin/cat\"", false, 0, false, "|/bin/cat|" },
	{ "bob, |/bin/x y, \"|/bin/x y\", \"| IFS=' ' && exec a || exit 75 #u\"", true, 0, false,
		"bob@example.test||/bin/x y||IFS=' ' && exec a || exit 75 #u|" },
	{ "bob, /var/mail/x, \"/a b/\"", false, 0, false, "bob@example.test|/var/mail/x|/a b/|" },
	{ "~/mbox", true, 0, false, "/home/anna/mbox|" },
};

static void make(struct local *l, struct local_rcpt *r, struct deliver_request *rq, struct arena *a)
{
	*l = (struct local){ .core = { .recipient_delimiter = "+", .owner_request_special = true },
		.params = { .duplicate_filter_limit = 1000,
			.forward_expansion_filter = "/.+abcdefghijklmnopqrstuvwxyz" } };
	struct err e = ERR_INIT;
	l->mydestination =
	        matchlist_open("mydestination", "example.test, localhost", 0, &l->env, &e);
	assert_non_null(l->mydestination);
	arena_init(a, 1 << 20);
	*rq = (struct deliver_request){ .arena = a };
	*r = (struct local_rcpt){ .local = l,
		.rq = rq,
		.address = SV("anna+x@example.test"),
		.name = SV("anna+x"),
		.user = SV("anna"),
		.ext = SV("x"),
		.domain = SV("example.test") };
}

static void test_expand(void **state)
{
	const struct clnt_auth_identity anna = { .name = SV("anna"), .home = SV("/home/anna") };
	(void)state;
	struct local l;
	struct local_rcpt r;
	struct deliver_request rq;
	struct arena a;
	make(&l, &r, &rq, &a);
	for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
		struct alias_list list;
		struct local_expansion x = { 0 };
		struct err e = ERR_INIT;
		t_case(expansions[i].text);
		assert_int_equal(alias_parse(sv_z(expansions[i].text),
		                         expansions[i].lines ? ALIAS_LINES : ALIAS_RHS, "f", 1, 100,
		                         &a, &list, &e),
		        1);
		const struct local_text t = { .name = "file f",
			.own = SV("anna"),
			.source = LOCAL_FROM_FORWARD,
			.rights = { { .kind = "user", .name = SV("anna"), .fd = -1 }, &anna } };
		assert_int_equal(local_expand(&r, &t, &list, &x, &e), expansions[i].rc);
		if (expansions[i].rc < 0) {
			assert_int_equal(
			        e.cls, ERR_CONFIG); /* deferred, and the admin is told where */
			assert_non_null(strstr(e.text, "file f, line 1"));
			continue;
		}
		assert_int_equal(x.self, expansions[i].self);
		struct buf got;
		buf_init(&got, 1000);
		for (size_t k = 0; k < x.n; k++)
			(void)buf_printf(&got, "%.*s|", SV_ARG(x.addresses[k]));
		for (size_t k = 0; k < x.nmembers; k++) {
			(void)buf_printf(&got, "%s%.*s|", x.members[k].kind == ALIAS_COMMAND ? "|" : "",
			        SV_ARG(x.members[k].text));
			assert_string_equal(x.members[k].where, "file f, line 1");
		}
		t_assert_sv(buf_sv(&got), expansions[i].addresses);
		buf_free(&got);
	}
	matchlist_free(l.mydestination);
	arena_free(&a);
}

static void test_forward_path(void **state)
{
	(void)state;
	struct local l;
	struct local_rcpt r;
	struct deliver_request rq;
	struct arena a;
	make(&l, &r, &rq, &a);
	struct clnt_auth_identity who = { .home = SV("/home/anna") };
	struct err e = ERR_INIT;
	struct buf b;
	buf_init(&b, 1000);
	struct sv template = SV("$home/.forward${recipient_delimiter}${extension}");
	assert_int_equal(local_forward_path(&r, &who, template, &b, &e), 1);
	t_assert_sv(buf_sv(&b), "/home/anna/.forward+x");
	/* what strangers wrote is filtered, what the directory says is not */
	buf_reset(&b);
	r.ext = SV("x;y");
	who.home = SV("/home/A nna");
	assert_int_equal(local_forward_path(&r, &who, template, &b, &e), 1);
	t_assert_sv(buf_sv(&b), "/home/A nna/.forward+x_y");
	who.home = SV("/home/anna");
	buf_reset(&b);
	r.ext = SV_NONE;
	assert_int_equal(local_forward_path(&r, &who, template, &b, &e), 1);
	t_assert_sv(buf_sv(&b), "/home/anna/.forward");
	/* a stranger's slash never becomes part of a path */
	r.name = SV("anna+../../etc/x");
	assert_int_equal(local_forward_path(&r, &who, template, &b, &e), 0);
	buf_free(&b);
	matchlist_free(l.mydestination);
	arena_free(&a);
}

static void test_loop(void **state)
{
	(void)state;
	struct arena a;
	struct local_loop l;
	arena_init(&a, 20000);
	assert_int_equal(
	        local_loop_parse(
	                SV("Received: x\nDelivered-To: anna@b\nDelivered-to:\n \"a b\"@c \n"
	                   "X-Delivered-To: no@no\n\nDelivered-To: body@b\n"),
	                &a, &l),
	        0);
	assert_int_equal(l.n, 2);
	assert_true(local_loop_has(&l, SV("Anna@B")));
	assert_true(local_loop_has(&l, SV("a b@c")));
	assert_false(local_loop_has(&l, SV("body@b")));
	assert_false(local_loop_owner(&l, SV("owner-l@b")));
	assert_int_equal(
	        local_loop_parse(
	                SV("Received: by h (m)\n\tid 1\n\t(sender replaced by <owner-l@b>); Mon\n"
	                   "Subject: (sender replaced by <x@y>)\nReceived: (sender replaced by <cut\n\n"),
	                &a, &l),
	        0);
	assert_true(local_loop_owner(&l, SV("Owner-L@B")));
	assert_int_equal(l.nowners, 1);
	assert_int_equal(l.nsteps, 0);
	assert_int_equal(
	        local_loop_parse(
	                SV("Received: by h (m)\n\tid 3\n\tfor <in@b>; now\nReceived: by h (m)\n\tid 2\n\tfor "
	                   "<\"a b\"@b> (list); now\nDelivered-To: x@b\nReceived: from c\n\tby h\n\tfor <no@b>; "
	                   "now\nReceived: by h (m)\n\tid 1\n\tfor <older@b>; now\n\n"),
	                &a, &l),
	        0);
	assert_int_equal(l.nsteps, 2); /* the newest ones, down to where the mail came in */
	assert_true(local_loop_has(&l, SV("IN@b")) && local_loop_has(&l, SV("a b@b")));
	assert_false(local_loop_has(&l, SV("older@b")) || local_loop_has(&l, SV("no@b")));
	assert_false(l.steps[0].list);
	assert_true(l.steps[1].list);
	assert_int_equal(local_loop_parse(SV("Received: by h (m) id 2; now\n\n"), &a, &l), 0);
	assert_int_equal(l.nsteps, 0);
	assert_int_equal(local_loop_parse(SV(""), &a, &l), 0);
	assert_false(local_loop_has(&l, SV("anna@b")));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_expand),
		cmocka_unit_test(test_forward_path),
		cmocka_unit_test(test_loop) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
