/* Unit test of pipe/: what a service's line means, macros, and the mail's text by flags. */
#include "pipe/pipe.h"
#include "tests/support/t.h"

#define ARGS(...) { __VA_ARGS__, NULL }

static const struct {
	const char *args[8];
	const char *text; /* of the error; NULL: fine */
	unsigned flags;
	size_t argc;
} lines[] = {
	{ ARGS("flags=DRhu", "user=foo", "argv=/prog", "-f", "${sender}", "flags=B"), NULL,
		PIPE_DELIVERED_TO | PIPE_RETURN_PATH | PIPE_FOLD_DOMAIN | PIPE_FOLD_LOCAL, 4 },
	{ ARGS("flags=BFOXq.>", "argv=x"), NULL,
		PIPE_BLANK_END | PIPE_FROM_LINE | PIPE_ORIGINAL_TO | PIPE_FINAL | PIPE_QUOTE | PIPE_DOT |
		        PIPE_QUOTE_FROM, 1 },
	{ ARGS("flags=B, h", "flags=u", "argv=x"), NULL, PIPE_BLANK_END | PIPE_FOLD_DOMAIN | PIPE_FOLD_LOCAL, 1 },
	{ ARGS("argv=x"), NULL, 0, 1 },
	{ ARGS("flags=Z", "argv=x"), "unknown flag 'Z'", 0, 0 },
	{ ARGS("user=foo"), "argv= with a program is missing", 0, 0 },
	{ ARGS("argv="), "argv= with a program is missing", 0, 0 },
	{ ARGS("chroot=/x", "argv=x"), "chroot= is not supported", 0, 0 },
	{ ARGS("colour=x", "argv=x"), "unknown attribute colour=", 0, 0 },
	{ ARGS("nothing", "argv=x"), "has no '='", 0, 0 },
	{ ARGS("size=many", "argv=x"), "not a number", 0, 0 },
	{ ARGS("eol=\\q", "argv=x"), "unknown sequence \\q", 0, 0 },
};

static void test_args(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct pipe_def d;
		struct arena a;
		struct err e = ERR_INIT;
		char *args[8];
		int n = 0;
		arena_init(&a, 65536);
		for (; lines[i].args[n]; n++)
			args[n] = arena_strdup(&a, sv_z(lines[i].args[n]));
		int rc = pipe_args(args, n, &a, &d, &e);
		if (rc != (lines[i].text ? -1 : 0))
			fail_msg("case %zu: %d %s", i, rc, e.text);
		if (rc < 0) {
			assert_non_null(strstr(e.text, lines[i].text));
		} else {
			assert_int_equal(d.flags, lines[i].flags);
			assert_int_equal(d.argc, lines[i].argc);
			assert_string_equal(d.null_sender, "MAILER-DAEMON");
		}
		arena_free(&a);
	}
}

static void test_values(void **state)
{
	char *args[] = { (char[]){ "eol=\\r\\n\\011" }, (char[]){ "size=1000" }, (char[]){ "directory=/var/x" },
		(char[]){ "null_sender=" }, (char[]){ "user=a:b" }, (char[]){ "argv=x" } };
	struct pipe_def d;
	struct arena a;
	struct err e = ERR_INIT;
	(void)state;
	arena_init(&a, 65536);
	assert_int_equal(pipe_args(args, ARRAY_LEN(args), &a, &d, &e), 0);
	t_assert_sv(d.eol, "\r\n\t");
	assert_int_equal(d.size_limit, 1000);
	assert_string_equal(d.directory, "/var/x");
	assert_string_equal(d.null_sender, "");
	assert_true(d.has_user);
	arena_free(&a);
}

static const struct {
	const char *arg;
	unsigned flags;
	const char *sender, *out; /* arguments, each with '|' behind; NULL: refused */
} macros[] = {
	{ "x", 0, "s@c", "x|" },
	{ "${recipient}", 0, "s@c", "Anna+Work@X.Test|b c@y.test|" },
	{ "$recipient", PIPE_FOLD_DOMAIN, "s@c", "Anna+Work@x.test|b c@y.test|" },
	{ "$(recipient)", PIPE_FOLD_DOMAIN | PIPE_FOLD_LOCAL, "s@c", "anna+work@x.test|b c@y.test|" },
	{ "${recipient}", PIPE_QUOTE, "s@c", "Anna+Work@X.Test|\"b c\"@y.test|" },
	{ "${original_recipient}", 0, "s@c", "first@x|b c@y.test|" },
	{ "${user}-${extension}", PIPE_FOLD_LOCAL, "s@c", "anna-work|b c-|" },
	{ "${mailbox}/${domain}", PIPE_FOLD_DOMAIN, "s@c", "Anna+Work/x.test|b c/y.test|" },
	{ "-f${sender}", 0, "s@c", "-fs@c|" },
	{ "${sender}", 0, "", "MAILER-DAEMON|" },
	{ "${sender}", PIPE_QUOTE, "a b@c", "\"a b\"@c|" },
	{ "$nexthop:$size:$queue_id", PIPE_FOLD_DOMAIN, "s@c", "hop.test:1234:QID|" },
	{ "$client_address,$client_hostname,$client_helo,$client_protocol,$sasl_username", 0, "s@c",
		"192.0.2.1,host,helo,ESMTP,login|" },
	{ "$client_port$sasl_method$sasl_sender.$envid", 0, "s@c", ".env|" },
	{ "a$$b$$", 0, "s@c", "a$b$|" },
	{ "${nonsense}", 0, "s@c", NULL },
	{ "${recipient", 0, "s@c", NULL },
	{ "cost$", 0, "s@c", NULL },
};

static void test_macros(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
		struct deliver_rcpt rcpts[] = { { .recipient = SV("Anna+Work@X.Test"), .original = SV("first@x") },
			{ .recipient = SV("b c@y.test") } };
		struct deliver_request rq = { .rcpts = rcpts, .nrcpts = 2, .sender = sv_z(macros[i].sender),
			.nexthop = SV("Hop.Test"), .content_size = 1234, .queue_id = SV("QID"), .envid = SV("env"),
			.client_addr = SV("192.0.2.1"), .client_name = SV("host"), .helo_name = SV("helo"),
			.protocol = SV("ESMTP"), .sasl_username = SV("login") };
		const struct pipe_rules rules = { "+", true };
		char *argv[] = { (char *)(uintptr_t)macros[i].arg };
		struct pipe_def d = {
			.flags = macros[i].flags, .null_sender = "MAILER-DAEMON", .argv = argv, .argc = 1
		};
		struct sv_list out;
		struct arena a;
		struct err e = ERR_INIT;
		char got[500] = "";
		arena_init(&a, 1 << 20);
		int rc = pipe_expand(&d, &rq, &rules, &a, &out, &e);
		for (size_t k = 0; rc == 0 && k < out.n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s|", SV_ARG(out.v[k]));
		if ((rc == 0) != (macros[i].out != NULL) || (rc == 0 && strcmp(got, macros[i].out) != 0))
			fail_msg("case %zu: %d \"%s\" %s", i, rc, got, e.text);
		/* what is refused is refused before any mail, and nothing else is */
		rq.nrcpts = 0;
		assert_int_equal(pipe_expand(&d, &rq, &rules, &a, &out, &e), rc);
		arena_free(&a);
	}
}

static const struct {
	unsigned flags;
	const char *eol, *in, *out;
} texts[] = {
	{ 0, "\n", "a\n.b\nFrom c\n", "a\n.b\nFrom c\n" },
	{ 0, "\n", "no end", "no end\n" },
	{ 0, "\r\n", "a\n\nb\n", "a\r\n\r\nb\r\n" },
	{ PIPE_DOT, "\n", ".\n..\na.b\n", "..\n...\na.b\n" },
	{ PIPE_QUOTE_FROM, "\n", "From x\nFrom\n>From y\nFro\nxFrom z\nFrom ",
		">From x\nFrom\n>From y\nFro\nxFrom z\n>From \n" },
	{ PIPE_QUOTE_FROM | PIPE_DOT, "\n", ".From \nF.\nF", "..From \nF.\nF\n" },
	{ PIPE_BLANK_END, "\r\n", "a\n", "a\r\n\r\n" },
	{ 0, "\n", "", "" },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t block = 1; block < 20; block++) {
			struct pipe_text t = { .flags = texts[i].flags, .eol = sv_z(texts[i].eol) };
			struct sv rest = sv_z(texts[i].in);
			struct buf out;
			buf_init(&out, 1000);
			while (rest.len > 0) {
				size_t n = rest.len < block ? rest.len : block;
				assert_int_equal(pipe_text_put(&t, sv_upto(rest, n), &out), 0);
				rest = sv_from(rest, n);
			}
			assert_int_equal(pipe_text_end(&t, &out), 0);
			if (!sv_eqz(buf_sv(&out), texts[i].out))
				fail_msg("case %zu, blocks of %zu: %s", i, block, buf_z(&out));
			buf_free(&out);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
