/* Unit test of lib/mail/mime.c; rows F02, F03 of the attack catalogue. */
#include "lib/mail/header.h"
#include "lib/mail/mime.h"
#include "tests/support/t.h"

static const struct mime_limits limits = MIME_LIMITS_DEFAULT;

/* want: for each part "depth type/subtype [body] size lines;" with LF as '|'. */
static const struct {
	const char *name, *message, *want;
} cases[] = {
	{ "plain", "Subject: x\n\na\nb\n", "0 text/plain [a|b|] 6 2;" },
	{ "crlf", "Subject: x\r\n\r\na\r\n", "0 text/plain [a\r|] 3 1;" },
	{ "no header", "\nabc", "0 text/plain [abc] 3 0;" },
	{ "empty", "", "0 text/plain [] 0 0;" },
	{ "header only", "A: b\n", "0 text/plain [] 0 0;" },
	{ "body at once", "no header here\n", "0 text/plain [no header here|] 16 1;" },
	{ "html", "Content-Type: TEXT/Html; charset=x\n\n<p>", "0 TEXT/Html [<p>] 3 0;" },
	{ "bad type", "Content-Type: html\n\nx", "0 text/plain [x] 1 0;" },
	{ "folded type", "Content-Type: multipart/mixed;\n\tboundary=\"b\"\n\n--b\n\nx\n--b--\n",
		"0 multipart/mixed [--b||x|--b--|] 17 4;1 text/plain [x] 1 0;" },
	{ "two parts",
		"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\nContent-Type: text/html\n\nh\n"
		"--b\n\nt1\nt2\n--b--\nepi\n--b\n",
		"0 multipart/mixed [pre|--b|Content-Type: text/html||h|--b||t1|t2|--b--|epi|--b|] 72 12;"
		"1 text/html [h] 1 0;1 text/plain [t1|t2] 6 1;" },
	{ "no end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\ny",
		"0 multipart/mixed [--b||x|y] 11 3;1 text/plain [x|y] 4 1;" },
	{ "empty part", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--",
		"0 multipart/mixed [--b||--b--] 12 2;1 text/plain [] 0 0;" },
	{ "boundary inside a header", "Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n--b--\n",
		"0 multipart/mixed [--b|A: b|--b--|] 18 3;1 text/plain [] 0 0;" },
	{ "nested",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; "
		"boundary=b\n\n--b\n\n1\n--b\n\n2\n--b--\n--a\n\n3\n--a--\n",
		"0 multipart/mixed [--a|Content-Type: multipart/alternative; boundary=b||--b||1|--b||2|--b--|"
		"--a||3|--a--|] 100 14;1 multipart/alternative [--b||1|--b||2|--b--] 25 6;"
		"2 text/plain [1] 1 0;2 text/plain [2] 1 0;1 text/plain [3] 1 0;" },
	{ "inner without end",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/x; boundary=b\n\n"
		"--b\n\n1\n--a\n\n3\n--a--\n",
		"0 multipart/mixed [--a|Content-Type: multipart/x; boundary=b||--b||1|--a||3|--a--|] 73 10;"
		"1 multipart/x [--b||1] 8 2;2 text/plain [1] 1 0;1 text/plain [3] 1 0;" },
	{ "F02 boundary is a prefix of another",
		"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/x; boundary=ab\n\n"
		"--ab\n\n1\n--ab--\n--a--\n",
		"0 multipart/mixed [--a|Content-Type: multipart/x; boundary=ab||--ab||1|--ab--|--a--|] 73 8;"
		"1 multipart/x [--ab||1|--ab--] 17 3;2 text/plain [1] 1 0;" },
	{ "F02 no boundary", "Content-Type: multipart/mixed\n\n--b\n\nx", "0 text/plain [--b||x] 8 2;" },
	{ "F02 empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx",
		"0 text/plain [--||x] 7 2;" },
	{ "F02 no parts", "Content-Type: multipart/mixed; boundary=b\n\nx", "0 multipart/mixed [x] 1 0;" },
	{ "boundary with blanks behind", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n",
		"0 multipart/mixed [--b \t||x|--b-- |] 20 4;1 text/plain [x] 1 0;" },
	{ "no boundary line", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bx\n--b--x\n--b--\n",
		"0 multipart/mixed [--b||--bx|--b--x|--b--|] 28 5;1 text/plain [--bx|--b--x] 12 1;" },
	{ "message", "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n",
		"0 message/rfc822 [Subject: in||body|] 21 3;1 text/plain [body|] 6 1;" },
	{ "message in multipart",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
		"A: b\n\nx\n"
		"--b--\n",
		"0 multipart/mixed [--b|Content-Type: message/rfc822||A: b||x|--b--|] 55 7;"
		"1 message/rfc822 [A: b||x] 9 2;2 text/plain [x] 1 0;" },
	{ "encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n",
		"0 application/octet-stream [QQ==|] 6 1;" },
	{ "digest",
		"Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b\n"
		"Content-Type: text/x\n\ny\n"
		"--b--\n",
		"0 multipart/digest [--b||A: b||x|--b|Content-Type: text/x||y|--b--|] 57 10;"
		"1 message/rfc822 [A: b||x] 9 2;2 text/plain [x] 1 0;1 text/x [y] 1 0;" },
	{ "F06 two types", "Content-Type: text/a\nContent-Type: text/b\n\n", "0 text/a [] 0 0;" },
};

static void show(struct buf *b, struct sv msg, const struct mime_part *root)
{
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		buf_printf(b, "%u %.*s/%.*s [", p->depth, SV_ARG(p->type.type), SV_ARG(p->type.subtype));
		for (size_t i = p->body.start; i < p->body.end; i++)
			buf_putc(b, msg.p[i] == '\n' ? '|' : msg.p[i]);
		buf_printf(b, "] %zu %zu;", p->body.size, p->body.lines);
	}
}

static void check_range(struct sv msg, const struct mime_range *r)
{
	size_t size = r->end - r->start, lines = 0;
	assert_true(r->start <= r->end && r->end <= msg.len);
	for (size_t i = r->start; i < r->end; i++) {
		lines += msg.p[i] == '\n';
		size += msg.p[i] == '\n' && (i == 0 || msg.p[i - 1] != '\r');
	}
	assert_int_equal(size, r->size);
	assert_int_equal(lines, r->lines);
}

static void parses_structures(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct buf b;
		struct mime_part *root;
		struct sv msg = sv_z(cases[i].message);
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		t_case(cases[i].name);
		assert_int_equal(mime_parse(msg, &limits, &a, &root), 0);
		show(&b, msg, root);
		t_assert_sv(buf_sv(&b), cases[i].want);
		for (const struct mime_part *p = root; p; p = mime_next(p)) {
			check_range(msg, &p->head);
			check_range(msg, &p->body);
		}
		/* the outermost split is that of header_split() */
		struct sv head, body;
		header_split(msg, &head, &body);
		assert_int_equal(root->body.end - root->body.start, body.len);
		buf_free(&b);
		arena_free(&a);
	}
}

/* want: "type/subtype name=value(charset) ..." or "-" */
static const struct {
	const char *text, *want;
} values[] = {
	{ "text/plain", "text/plain" },
	{ " text / plain ; charset = utf-8 ", "text/plain charset=utf-8" },
	{ "text/plain; charset=\"a\\\"b\"; format=flowed", "text/plain charset=a\"b format=flowed" },
	{ "(c) text/(d)plain(e); (f) a (g) = (h) b", "text/plain a=b" },
	{ "text/plain;;; a=b;", "text/plain a=b" },
	{ "a/b; name=my file.txt; x=y", "a/b name=my file.txt x=y" },
	{ "a/b; boundary=\"--=_a/b:c\"", "a/b boundary=--=_a/b:c" },
	{ "a/b; junk; c=d", "a/b c=d" },
	{ "a/b; =x; c=d", "a/b c=d" },
	{ "a/b; c=\"open", "a/b c=open" },
	{ "a/b; c=", "a/b c=" },
	{ "a/b; name*=utf-8'de'na%C3%AFve", "a/b name=na\xc3\xafve(utf-8)" },
	{ "a/b; name*0=\"ab\"; name*1=cd; x=y", "a/b x=y name=abcd" },
	{ "a/b; name*1=cd; name*0=ab", "a/b name=abcd" },
	{ "a/b; name*0*=utf-8''a%20; name*1=b%20", "a/b name=a b%20(utf-8)" },
	{ "a/b; name*0=a; name*2=c", "a/b name=a" },
	{ "a/b; name*0=a; name*0=b; name*1=c", "a/b name=ac" },
	{ "a/b; name*99999=a", "a/b name*99999=a" },
	{ "a/b; n*=%zz%4", "a/b n=%zz%4" },
	{ "text", "-" },
	{ "/plain", "-" },
	{ "text/", "-" },
	{ "", "-" },
	{ "((((", "-" },
};

static void show_value(struct buf *b, const struct mime_value *v)
{
	buf_printf(b, "%.*s/%.*s", SV_ARG(v->type), SV_ARG(v->subtype));
	for (const struct mime_param *p = v->params; p; p = p->next) {
		buf_printf(b, " %.*s=%.*s", SV_ARG(p->name), SV_ARG(p->value));
		if (p->charset.len)
			buf_printf(b, "(%.*s)", SV_ARG(p->charset));
	}
}

static void parses_values(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct arena a;
		struct buf b;
		struct mime_value v;
		arena_init(&a, 1 << 20);
		buf_init(&b, 1000);
		t_case(values[i].text);
		if (mime_value_parse(sv_z(values[i].text), true, &limits, &a, &v) == 1)
			show_value(&b, &v);
		else
			buf_puts(&b, "-");
		t_assert_sv(buf_sv(&b), values[i].want);
		buf_free(&b);
		arena_free(&a);
	}
	struct arena a;
	struct mime_value v;
	arena_init(&a, 10000);
	assert_int_equal(mime_value_parse(SV("attachment; filename=x"), false, &limits, &a, &v), 1);
	t_assert_sv(v.type, "attachment");
	t_assert_sv(mime_param(&v, "FILENAME"), "x");
	t_assert_sv(mime_param(&v, "none"), "");
	arena_free(&a);
}

struct shape {
	size_t parts, depth;
};

static struct shape parse_shape(const struct buf *msg)
{
	struct arena a;
	struct mime_part *root;
	struct shape s = { 0, 0 };
	arena_init(&a, (size_t)64 << 20);
	assert_int_equal(mime_parse(buf_sv(msg), &limits, &a, &root), 0);
	for (const struct mime_part *p = root; p; p = mime_next(p)) {
		s.parts++;
		if (p->depth > s.depth)
			s.depth = p->depth;
	}
	arena_free(&a);
	return s;
}

/* F02, F03: depth, parts, parameters and boundaries without end. */
static void hostile_messages_end_at_limits(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, (size_t)32 << 20);
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%sContent-Type: multipart/mixed; boundary=b%d\n\n", i ? "\n" : "", i);
	struct shape s = parse_shape(&b); /* nothing between the boundaries: one level */
	assert_int_equal(s.parts, 1);
	buf_reset(&b);
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	s = parse_shape(&b);
	assert_true(s.depth < limits.depth && s.depth > 90);
	buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "Content-Type: message/rfc822\n\n");
	s = parse_shape(&b);
	assert_true(s.depth < limits.depth && s.depth > 90);
	buf_reset(&b);
	buf_puts(&b, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "--b\n\nx\n");
	s = parse_shape(&b);
	assert_int_equal(s.parts, limits.parts);
	buf_reset(&b);
	buf_puts(&b, "Content-Type: multipart/mixed");
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "; x*%d=a", i);
	buf_puts(&b, ";;;;;;;;\n\n");
	s = parse_shape(&b);
	assert_int_equal(s.parts, 1);
	buf_reset(&b);
	buf_puts(&b, "Content-Type: multipart/mixed; boundary=");
	for (int i = 0; i < 3000; i++)
		buf_putc(&b, 'b');
	buf_puts(&b, "\n\nx");
	s = parse_shape(&b);
	assert_int_equal(s.parts, 1);
	struct arena a;
	struct mime_part *root;
	arena_init(&a, 100);
	assert_int_equal(mime_parse(buf_sv(&b), &limits, &a, &root), -1);
	arena_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_structures),
		cmocka_unit_test(parses_values),
		cmocka_unit_test(hostile_messages_end_at_limits),
	};
	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
