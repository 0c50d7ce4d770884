/* Unit test of bounce/bounce_report.c: what a report holds, and that strangers' text cannot break
 * it. */
#include "bounce/bounce_report.h"
#include "tests/support/t.h"

#include "lib/base/utf8.h"

static struct report sample(const struct report_rcpt *rcpts, size_t n)
{
	return (struct report){ .kind = REPORT_FAILURE,
		.template = bouncecf_builtin(BOUNCECF_FAILURE),
		.to = SV("anna@far.example"),
		.sender = SV("anna@far.example"),
		.queue_id = SV("4abcDEF123z"),
		.myhostname = SV("mx.here.example"),
		.myorigin = SV("here.example"),
		.mail_name = SV("merpati"),
		.boundary = SV("=_b0undary"),
		.now_s = 1795392000,
		.arrival_s = 1795391990,
		.tz_min = 420,
		.rcpts = rcpts,
		.nrcpts = n,
		.original = SV("Subject: hello\nTo: bert\n\nbody\n") };
}

static const struct report_rcpt one = { .recipient = SV_INIT("bert@here.example"),
	.original = SV_INIT("bertie@here.example"),
	.orcpt = SV_INIT("rfc822;bertie@here.example"),
	.action = SV_INIT("failed"),
	.dsn = SV_INIT("5.1.1"),
	.text = SV_INIT("unknown user: \"bert\""),
	.remote_mta = SV_INIT(""),
	.diagnostic = SV_INIT("") };

static void has(struct sv text, const char *what)
{
	if (sv_find(text, sv_z(what)) < 0)
		fail_msg("no \"%s\" in:\n%.*s", what, SV_ARG(text));
}

static void hasnot(struct sv text, const char *what)
{
	if (sv_find(text, sv_z(what)) >= 0)
		fail_msg("\"%s\" in:\n%.*s", what, SV_ARG(text));
}

/* Boundary lines, and the Content-Type behind each: three parts and an end, nothing else. */
static void check_parts(struct sv text, const char *const types[3])
{
	size_t n = 0;
	bool closed = false;
	struct sv line;
	while (sv_take_line(&text, &line)) {
		if (!sv_starts(line, SV("--=_b0undary")))
			continue;
		assert_false(closed);
		closed = sv_eqz(line, "--=_b0undary--");
		if (closed)
			continue;
		assert_true(n < 3);
		struct sv head = sv_upto(text, (size_t)sv_find(text, SV("\n\n")));
		char want[100];
		snprintf(want, sizeof(want), "\nContent-Type: %s", types[n++]);
		has(head, want);
	}
	assert_true(closed);
	assert_int_equal(n, 3);
}

static void failure(void **state)
{
	(void)state;
	static const char *const types[] = { "text/plain", "message/delivery-status",
		"message/rfc822" };
	struct buf out;
	buf_init(&out, 1 << 20);
	struct report r = sample(&one, 1);
	r.envid = SV("QQ314159");
	assert_int_equal(report_make(&r, &out), 0);
	struct sv t = buf_sv(&out);
	check_parts(t, types);
	has(t, "From: Mail Delivery System <MAILER-DAEMON>\n");
	has(t, "To: anna@far.example\n");
	has(t, "Auto-Submitted: auto-replied\n");
	has(t, "Original-Envelope-Id: QQ314159\n");
	has(t, "Reporting-MTA: dns; mx.here.example\n");
	has(t, "Arrival-Date: ");
	has(t, "Final-Recipient: rfc822; bert@here.example\n");
	has(t, "Original-Recipient: rfc822; bertie@here.example\n");
	has(t, "Action: failed\n");
	has(t, "Status: 5.1.1\n");
	has(t, "Diagnostic-Code: X-merpati; unknown user: \"bert\"\n");
	has(t, "<bert@here.example> (sent to <bertie@here.example>):\n    unknown user: "
	       "\"bert\"\n");
	has(t, "\n\nSubject: hello\nTo: bert\n\nbody\n");
	has(t, "\n--=_b0undary--\n");
	hasnot(t, "Remote-MTA");
	buf_free(&out);
}

static void kinds(void **state)
{
	(void)state;
	static const char *const types[] = { "text/plain", "message/delivery-status",
		"text/rfc822-headers" };
	static const struct {
		enum report_kind kind;
		const char *subject, *action;
	} cases[] = {
		{ REPORT_DELAY, "Subject: Your mail is delayed\n", "delayed" },
		{ REPORT_SUCCESS, "Subject: Delivery report of your mail\n", "delivered" },
		{ REPORT_VERIFY, "Subject: Report of a delivery attempt\n", "deliverable" },
		{ REPORT_POSTMASTER, "Subject: Postmaster notice: undeliverable mail\n", "failed" },
		{ REPORT_POSTMASTER_DELAY, "Subject: Postmaster notice: delayed mail\n", "delayed" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_rcpt rcpt = one;
		struct buf out;
		rcpt.action = sv_z(cases[i].action);
		rcpt.remote_mta = SV("mx.far.example");
		rcpt.diagnostic = SV("450 4.2.1 later");
		buf_init(&out, 1 << 20);
		struct report r = sample(&rcpt, 1);
		r.kind = cases[i].kind;
		r.template = bouncecf_builtin(report_template(r.kind));
		r.header_only = true;
		r.original = SV("Subject: hello\n");
		r.retry_until_s = 1795392000 + 432000;
		assert_int_equal(report_make(&r, &out), 0);
		check_parts(buf_sv(&out), types);
		has(buf_sv(&out), cases[i].subject);
		has(buf_sv(&out), "Remote-MTA: dns; mx.far.example\n");
		has(buf_sv(&out), "Diagnostic-Code: smtp; 450 4.2.1 later\n");
		bool delay = cases[i].kind == REPORT_DELAY || cases[i].kind == REPORT_POSTMASTER_DELAY;
		(delay ? has : hasnot)(buf_sv(&out), "Will-Retry-Until: ");
		buf_free(&out);
	}
}

/* The template's words, and how they get along with the rest. */
static void templates(void **state)
{
	(void)state;
	static const char *const types[] = { "text/plain", "message/delivery-status", "message/rfc822" };
	struct bouncecf_template t = { .charset = SV("iso-8859-1"),
		.from = SV("The robot <robot@here.example>"),
		.subject = SV("Nothing came of it"),
		.postmaster_subject = SV("Look at this"),
		.text = SV("D\xe9sol\xe9.\n") };
	struct buf out;
	buf_init(&out, 1 << 20);
	struct report r = sample(&one, 1);
	r.template = &t;
	assert_int_equal(report_make(&r, &out), 0);
	check_parts(buf_sv(&out), types);
	has(buf_sv(&out), "\nFrom: The robot <robot@here.example>\n");
	has(buf_sv(&out), "\nSubject: Nothing came of it\n");
	has(buf_sv(&out), "\nContent-Transfer-Encoding: 8bit\n\nThis is a report");
	has(buf_sv(&out), "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
	                  "D\xe9sol\xe9.\n\n<bert@here.example>");
	hasnot(buf_sv(&out), "Look at this");
	/* addresses in UTF-8 cannot stand in a text in another character set */
	struct report_rcpt rcpt = one;
	rcpt.recipient = SV("b\xc3\xa9rt@here.example");
	r.rcpts = &rcpt;
	r.smtputf8 = true;
	buf_reset(&out);
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out), "\n<b??rt@here.example>");
	has(buf_sv(&out), "Final-Recipient: utf-8; b\xc3\xa9rt@here.example\n");
	t.charset = SV("UTF-8");
	t.text = SV("D\xc3\xa9sol\xc3\xa9.\n");
	buf_reset(&out);
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out), "\n<b\xc3\xa9rt@here.example>");
	/* the postmaster gets the subject, and not the text */
	r.kind = REPORT_POSTMASTER;
	r.smtputf8 = false;
	buf_reset(&out);
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out), "\nSubject: Look at this\n");
	has(buf_sv(&out), "charset=us-ascii\n\nThis is the mail server mx.here.example.\n");
	hasnot(buf_sv(&out), "sol");
	buf_free(&out);
}

static void smtputf8(void **state)
{
	(void)state;
	static const char *const types[] = { "text/plain", "message/global-delivery-status",
		"message/global" };
	struct report_rcpt rcpt = one;
	struct buf out;
	rcpt.recipient = SV("b\xc3\xa9rt@here.example");
	buf_init(&out, 1 << 20);
	struct report r = sample(&rcpt, 1);
	r.smtputf8 = true;
	assert_int_equal(report_make(&r, &out), 0);
	check_parts(buf_sv(&out), types);
	has(buf_sv(&out), "report-type=global-delivery-status");
	has(buf_sv(&out), "Final-Recipient: utf-8; b\xc3\xa9rt@here.example\n");
	buf_reset(&out);
	r.smtputf8 = false;
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out), "Final-Recipient: utf-8; b\\x{E9}rt@here.example\n");
	has(buf_sv(&out), "\n<b??rt@here.example>");
	assert_true(utf8_is_ascii(buf_sv(&out)));
	/* ORCPT of that type, as it is kept */
	rcpt.orcpt = SV("UTF-8;j\xc3\xb6rg@far.example");
	for (int i = 0; i < 2; i++) {
		r.smtputf8 = i == 1;
		buf_reset(&out);
		assert_int_equal(report_make(&r, &out), 0);
		has(buf_sv(&out), i ? "Original-Recipient: UTF-8; j\xc3\xb6rg@far.example\n"
		                    : "Original-Recipient: UTF-8; j\\x{F6}rg@far.example\n");
	}
	buf_free(&out);
}

/* RFC 3464 2.2, 2.3: the fields, in the order of its grammar, which allows no other. */
static void fields_in_order(void **state)
{
	(void)state;
	struct report_rcpt rcpt = one;
	struct buf out;
	rcpt.action = SV("delayed");
	rcpt.dsn = SV("4.4.1");
	rcpt.remote_mta = SV("mx.far.example");
	rcpt.diagnostic = SV("450 4.2.1 later");
	rcpt.attempt_s = 1795391999;
	buf_init(&out, 1 << 20);
	struct report r = sample(&rcpt, 1);
	r.kind = REPORT_DELAY;
	r.template = bouncecf_builtin(BOUNCECF_DELAY);
	r.envid = SV("QQ314159");
	r.retry_until_s = 1795392000 + 86400;
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out),
	        "\nContent-Type: message/delivery-status\n\n"
	        "Original-Envelope-Id: QQ314159\n"
	        "Reporting-MTA: dns; mx.here.example\n"
	        "Arrival-Date: Mon, 23 Nov 2026 06:59:50 +0700\n"
	        "X-Merpati-Queue-ID: 4abcDEF123z\n"
	        "X-Merpati-Sender: rfc822; anna@far.example\n"
	        "\n"
	        "Original-Recipient: rfc822; bertie@here.example\n"
	        "Final-Recipient: rfc822; bert@here.example\n"
	        "Action: delayed\n"
	        "Status: 4.4.1\n"
	        "Remote-MTA: dns; mx.far.example\n"
	        "Diagnostic-Code: smtp; 450 4.2.1 later\n"
	        "Last-Attempt-Date: Mon, 23 Nov 2026 06:59:59 +0700\n"
	        "Will-Retry-Until: Tue, 24 Nov 2026 07:00:00 +0700\n"
	        "\n--=_b0undary\n");
	buf_free(&out);
}

/* What is missing or odd becomes something that a reader of reports can take. */
static void fallbacks(void **state)
{
	(void)state;
	static const struct {
		const char *action, *status;
	} cases[] = { { "failed", "5.0.0" }, { "delayed", "4.0.0" }, { "relayed", "2.0.0" },
		{ "undeliverable", "5.0.0" } };
	struct buf out;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const char *const codes[] = { "", "nonsense", "5.1", "7.1.1", "5.1.1.1" };
		for (size_t k = 0; k < ARRAY_LEN(codes); k++) {
			struct report_rcpt rcpt = one;
			char want[40];
			rcpt.action = sv_z(cases[i].action);
			rcpt.dsn = sv_z(codes[k]);
			struct report r = sample(&rcpt, 1);
			buf_reset(&out);
			assert_int_equal(report_make(&r, &out), 0);
			snprintf(want, sizeof(want), "\nStatus: %s\n", cases[i].status);
			has(buf_sv(&out), want);
		}
	}
	struct report_rcpt rcpt = one;
	rcpt.orcpt = SV("no type");
	struct report r = sample(&rcpt, 1);
	r.myhostname = SV("laptop");
	buf_reset(&out);
	assert_int_equal(report_make(&r, &out), 0);
	has(buf_sv(&out), "\nReporting-MTA: x-local-hostname; laptop\n");
	has(buf_sv(&out), "\nOriginal-Recipient: rfc822; bertie@here.example\n");
	hasnot(buf_sv(&out), "Last-Attempt-Date");
	rcpt.original = SV("");
	rcpt.orcpt = SV("");
	buf_reset(&out);
	assert_int_equal(report_make(&r, &out), 0);
	hasnot(buf_sv(&out), "Original-Recipient");
	buf_free(&out);
}

static void threads(void **state)
{
	(void)state;
	static const struct {
		const char *mail, *id; /* NULL: no fields */
	} cases[] = {
		{ "Subject: x\nMESSAGE-ID:\n <a.b@c>\n\nMessage-Id: <no@no>\n", "<a.b@c>" },
		{ "Subject: x\n\nMessage-Id: <no@no>\n", NULL },
		{ "Message-Id: a.b@c\n", NULL },
		{ "Message-Id: <a b@c>\n", NULL },
		{ "Message-Id: <a\xc3\xb6@c>\n", NULL },
		{ "Message-Id: <>\n", NULL },
		{ "", NULL },
	};
	struct buf out;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int on = 0; on < 2; on++) {
			struct report r = sample(&one, 1);
			char want[100];
			t_case(cases[i].mail);
			r.original = sv_z(cases[i].mail);
			r.threaded = on;
			buf_reset(&out);
			assert_int_equal(report_make(&r, &out), 0);
			struct sv head = sv_upto(buf_sv(&out), (size_t)sv_find(buf_sv(&out), SV("\n\n")));
			snprintf(want, sizeof(want), "\nReferences: %s\nIn-Reply-To: %s\n",
			        cases[i].id ? cases[i].id : "", cases[i].id ? cases[i].id : "");
			if (on && cases[i].id)
				has(head, want);
			else
				hasnot(head, "References");
		}
	buf_free(&out);
}

/* ATTACKS P03, D15: text from outside stays where it was put */
static void hostile(void **state)
{
	(void)state;
	static const char *const types[] = { "text/plain", "message/delivery-status",
		"message/rfc822" };
	static const struct sv evil[] = {
		SV_INIT("x\nAction: delivered"),
		SV_INIT("x\r\nBcc: all@far.example\r\n\r\nhi"),
		SV_INIT("x\n\n--=_b0undary\nContent-Type: text/html\n\n<b>"),
		SV_INIT("--=_b0undary--"),
		SV_INIT("\0\1\2\x7f\x9b"),
		SV_INIT("<>>>\"\\\"@(((("),
		SV_INIT(";;;;"),
		SV_INIT("\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		const struct report_rcpt rcpt = { evil[i], evil[i], evil[i], evil[i], evil[i],
			evil[i], evil[i], evil[i], 0 };
		struct buf out;
		buf_init(&out, 1 << 20);
		struct report r = sample(&rcpt, 1);
		r.to = r.sender = r.envid = r.queue_id = r.myhostname = r.myorigin = evil[i];
		assert_int_equal(report_make(&r, &out), 0);
		check_parts(buf_sv(&out), types);
		struct sv head = sv_upto(buf_sv(&out), (size_t)sv_find(buf_sv(&out), SV("\n\n")));
		hasnot(head, "\nBcc:");
		hasnot(buf_sv(&out), "\nAction: delivered");
		hasnot(buf_sv(&out), "text/html\n");
		buf_free(&out);
	}
}

static void long_values_are_cut(void **state)
{
	(void)state;
	char *z = mem_alloc(200001);
	struct buf out;
	memset(z, 'x', 200000);
	struct sv v = sv_n(z, 200000);
	const struct report_rcpt rcpt = { v, v, v, v, v, v, v, v, 0 };
	buf_init(&out, 1 << 20);
	struct report r = sample(&rcpt, 1);
	r.to = r.envid = v;
	assert_int_equal(report_make(&r, &out), 0);
	assert_true(out.len < 60000);
	buf_free(&out);
	buf_init(&out, 1000);
	assert_int_equal(report_make(&r, &out), -1);
	buf_free(&out);
	free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure),
		cmocka_unit_test(kinds),
		cmocka_unit_test(templates),
		cmocka_unit_test(smtputf8),
		cmocka_unit_test(fields_in_order),
		cmocka_unit_test(fallbacks),
		cmocka_unit_test(threads),
		cmocka_unit_test(hostile),
		cmocka_unit_test(long_values_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
