/* Unit test of lib/wire/imap_body.c, imap_structure.c. */
#include "lib/wire/imap_body.h"
#include "tests/support/t.h"

static const struct mime_limits limits = MIME_LIMITS_DEFAULT;

static const struct {
	const char *head, *want;
} envelopes[] = {
	{ "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "Date: Mon, 7 Feb 1994 21:52:25 -0800\nSubject: a\n b\nFrom: Fred Foobar <foobar@B.example>\n"
	  "To: \"A, B\" <a@b>, c@d (C D)\nMessage-Id: <1@x>\nIn-Reply-To: <0@x>\nTo: second@x\n",
		"(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"a b\""
		" ((\"Fred Foobar\" NIL \"foobar\" \"B.example\"))"
		" ((\"Fred Foobar\" NIL \"foobar\" \"B.example\"))"
		" ((\"Fred Foobar\" NIL \"foobar\" \"B.example\"))"
		" ((\"A, B\" NIL \"a\" \"b\")(\"C D\" NIL \"c\" \"d\")) NIL NIL \"<0@x>\" \"<1@x>\")" },
	{ "From: <@r1,@r2:a@b>\nSender: s@x\nReply-To:\nTo: list: a@b;, undisclosed:;\nCc: joe\n",
		"(NIL NIL ((NIL \"@r1,@r2\" \"a\" \"b\")) ((NIL NIL \"s\" \"x\"))"
		" ((NIL \"@r1,@r2\" \"a\" \"b\"))"
		" ((NIL NIL \"list\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)(NIL NIL \"undisclosed\" NIL)"
		"(NIL NIL NIL NIL)) ((NIL NIL \"joe\" \"MISSING_DOMAIN\")) NIL NIL NIL)" },
	{ "Subject: j\xc3\xb6\nFrom: \"q\\\"x\" <\"a b\"@c>\n",
		"(NIL {3}\r\nj\xc3\xb6 ((\"q\\\"x\" NIL \"a b\" \"c\")) ((\"q\\\"x\" NIL \"a b\" \"c\"))"
		" ((\"q\\\"x\" NIL \"a b\" \"c\")) NIL NIL NIL NIL NIL)" },
};

static void writes_envelopes(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
		struct arena a;
		struct buf b;
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		t_case(envelopes[i].head);
		assert_int_equal(imap_put_envelope(&b, sv_z(envelopes[i].head), &a), 0);
		t_assert_sv(buf_sv(&b), envelopes[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

#define NESTED                                                                                 \
	"Content-Type: multipart/mixed; boundary=a\n\n"                                            \
	"--a\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n" \
	"Content-Disposition: inline; filename*=utf-8''na%C3%AFve\nContent-Language: en, de\n\n<p>\n" \
	"--a\nContent-Type: message/rfc822\nContent-ID: <1>\n\nSubject: in\n\nbody\n"                \
	"--a--\n"
#define INNER "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)"

static const struct {
	const char *message, *body, *structure;
} structures[] = {
	{ "\nx\n", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)",
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)" },
	{ "Content-Type: image/png; name=\"a b\"\nContent-MD5: zz\nContent-Transfer-Encoding: x-foo\n\n1",
		"(\"image\" \"png\" (\"name\" \"a b\") NIL NIL \"x-foo\" 1)",
		"(\"image\" \"png\" (\"name\" \"a b\") NIL NIL \"x-foo\" 1 \"zz\" NIL NIL NIL)" },
	{ NESTED,
		"((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 3 0)"
		"(\"message\" \"rfc822\" NIL \"<1>\" NIL \"7bit\" 19 " INNER
		" (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0) 2) \"mixed\")",
		"((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 3 0 NIL"
		" (\"inline\" (\"filename*\" \"utf-8''na%C3%AFve\")) (\"en\" \"de\") NIL)"
		"(\"message\" \"rfc822\" NIL \"<1>\" NIL \"7bit\" 19 " INNER
		" (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0 NIL NIL NIL"
		" NIL) 2 NIL NIL"
		" NIL NIL) \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n",
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")",
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL"
		" NIL) \"mixed\""
		" (\"boundary\" \"b\") NIL NIL NIL)" },
};

static void writes_structures(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(structures); i++) {
		struct arena a;
		struct buf b;
		struct mime_part *root;
		struct sv msg = sv_z(structures[i].message);
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		t_case(structures[i].message);
		assert_int_equal(mime_parse(msg, &limits, &a, &root), 0);
		assert_int_equal(imap_put_structure(&b, msg, root, false, &a), 0);
		t_assert_sv(buf_sv(&b), structures[i].body);
		buf_reset(&b);
		assert_int_equal(imap_put_structure(&b, msg, root, true, &a), 0);
		t_assert_sv(buf_sv(&b), structures[i].structure);
		buf_free(&b);
		arena_free(&a);
	}
}

/* want: octets with LF as '|', or "NIL" */
static const struct {
	const char *message, *section, *want;
} sections[] = {
	{ "A: 1\nB: 2\n\nx\n", "[]", "A: 1|B: 2||x|" },
	{ "A: 1\nB: 2\n\nx\n", "[HEADER]", "A: 1|B: 2||" },
	{ "A: 1\nB: 2\n\nx\n", "[TEXT]", "x|" },
	{ "A: 1\nB: 2\n\nx\n", "[1]", "x|" },
	{ "A: 1\nB: 2\n\nx\n", "[1.MIME]", "A: 1|B: 2||" },
	{ "A: 1\nB: 2\n\nx\n", "[1.1]", "NIL" },
	{ "A: 1\nB: 2\n\nx\n", "[2]", "NIL" },
	{ "A: 1\nB: 2\n\nx\n", "[1.TEXT]", "NIL" },
	{ "A: 1\nB: 2\n c\na: 3\n\nx\n", "[HEADER.FIELDS (a C)]", "A: 1|a: 3||" },
	{ "A: 1\nB: 2\n c\na: 3\n\nx\n", "[HEADER.FIELDS.NOT (a C)]", "B: 2| c||" },
	{ "A: 1\n\nx\n", "[HEADER.FIELDS (z)]", "|" },
	{ "A: 1", "[HEADER.FIELDS (a)]", "A: 1||" },
	{ NESTED, "[1]", "<p>" },
	{ NESTED, "[2]", "Subject: in||body" },
	{ NESTED, "[2.HEADER]", "Subject: in||" },
	{ NESTED, "[2.TEXT]", "body" },
	{ NESTED, "[2.1]", "body" },
	{ NESTED, "[2.1.MIME]", "Subject: in||" },
	{ NESTED, "[2.MIME]", "Content-Type: message/rfc822|Content-ID: <1>||" },
	{ NESTED, "[2.HEADER.FIELDS (subject)]", "Subject: in||" },
	{ NESTED, "[1.HEADER]", "NIL" },
	{ NESTED, "[3]", "NIL" },
	{ NESTED, "[2.2]", "NIL" },
	{ NESTED, "[2.1.1]", "NIL" },
};

static void finds_sections(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct arena a;
		struct buf b;
		struct mime_part *root;
		struct imap_parser p;
		struct imap_fetch f;
		struct imap_octets o;
		struct sv msg = sv_z(sections[i].message);
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		buf_printf(&b, "BODY%s", sections[i].section);
		imap_parser_init(&p, buf_sv(&b), &a, false);
		t_case(sections[i].section);
		assert_int_equal(imap_fetch_items(&p, &f), 1);
		assert_int_equal(mime_parse(msg, &limits, &a, &root), 0);
		assert_int_equal(imap_section_find(msg, root, &f.items[0].section, &a, &o), 0);
		struct sv got = o.composed ? o.text : sv_sub(msg, o.range.start, o.range.end - o.range.start);
		buf_reset(&b);
		for (size_t k = 0; k < got.len; k++)
			buf_putc(&b, got.p[k] == '\n' ? '|' : got.p[k]);
		t_assert_sv(o.nil ? SV("NIL") : buf_sv(&b), sections[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_envelopes),
		cmocka_unit_test(writes_structures),
		cmocka_unit_test(finds_sections),
	};
	return cmocka_run_group_tests_name("imap_body", tests, NULL, NULL);
}
