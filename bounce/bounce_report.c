#include "bounce/bounce_report.h"

#include "lib/base/utf8.h"
#include "lib/mail/addr.h"
#include "lib/mail/date.h"
#include "lib/mail/dsn.h"
#include "lib/mail/header.h"

#define LINE_WIDTH 76
#define VALUE_MAX  3000

enum bouncecf_kind report_template(enum report_kind kind)
{
	switch (kind) {
	case REPORT_DELAY:
	case REPORT_POSTMASTER_DELAY: return BOUNCECF_DELAY;
	case REPORT_SUCCESS: return BOUNCECF_SUCCESS;
	case REPORT_VERIFY: return BOUNCECF_VERIFY;
	case REPORT_FAILURE:
	case REPORT_POSTMASTER: break;
	}
	return BOUNCECF_FAILURE;
}

static bool for_postmaster(const struct report *r)
{
	return r->kind == REPORT_POSTMASTER || r->kind == REPORT_POSTMASTER_DELAY;
}

/* Append S as text of one line that may stand anywhere in the report. */
static void clean(const struct report *r, struct buf *out, struct sv s)
{
	s = sv_upto(s, VALUE_MAX);
	bool utf8 = r->smtputf8 && utf8_valid(s);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c == 0x7f)
			buf_putc(out, ' ');
		else if (c > 0x7e && !utf8)
			buf_putc(out, '?');
		else
			buf_putc(out, s.p[i]);
	}
}

static void put_address(const struct report *r, struct buf *out, struct sv internal)
{
	struct buf one;
	buf_init(&one, 2 * VALUE_MAX);
	if (addr_quote(&one, sv_upto(internal, VALUE_MAX)) < 0)
		buf_put_sv(&one, sv_upto(internal, VALUE_MAX));
	clean(r, out, buf_sv(&one));
	buf_free(&one);
}

/* "Name: value", value made harmless. */
static void put_field(const struct report *r, struct buf *out, const char *name, struct sv value)
{
	struct buf one;
	buf_init(&one, 4 * VALUE_MAX);
	clean(r, &one, value);
	dsn_field(out, name, buf_sv(&one));
	buf_free(&one);
}

static void put_typed(const struct report *r, struct buf *out, const char *name, const char *type,
        struct sv value)
{
	struct buf one;
	buf_init(&one, 4 * VALUE_MAX);
	clean(r, &one, value);
	dsn_typed_field(out, name, type, buf_sv(&one));
	buf_free(&one);
}

/* An address of type "utf-8"; where only ASCII may stand, in the form of RFC 6533 3 that does with it. */
static void put_utf8_field(const struct report *r, struct buf *out, const char *name, const char *type,
        struct sv address)
{
	struct buf one;
	buf_init(&one, 8 * VALUE_MAX);
	if (r->smtputf8)
		clean(r, &one, address);
	else
		utf8_xtext_encode(&one, sv_upto(address, VALUE_MAX));
	dsn_typed_field(out, name, type, buf_sv(&one));
	buf_free(&one);
}

static void put_address_field(
        const struct report *r, struct buf *out, const char *name, struct sv internal)
{
	struct buf one;
	internal = sv_upto(internal, VALUE_MAX);
	buf_init(&one, 2 * VALUE_MAX + 2);
	if (addr_quote(&one, internal) < 0)
		buf_put_sv(&one, internal);
	if (utf8_is_ascii(buf_sv(&one)))
		put_typed(r, out, name, "rfc822", buf_sv(&one));
	else
		put_utf8_field(r, out, name, "utf-8", buf_sv(&one));
	buf_free(&one);
}

static void put_date_field(const struct report *r, struct buf *out, const char *name, int64_t t)
{
	buf_printf(out, "%s: ", name);
	date_format(out, t, r->tz_min);
	buf_putc(out, '\n');
}

/* Text in lines of bearable width, each indented. Words longer than a line stay whole. */
static void put_wrapped(const struct report *r, struct buf *out, struct sv text, const char *indent)
{
	struct buf one;
	size_t column = 0;
	buf_init(&one, 4 * VALUE_MAX);
	clean(r, &one, text);
	struct sv rest = buf_sv(&one);
	for (struct sv word = sv_take_word(&rest); word.len > 0; word = sv_take_word(&rest)) {
		if (column > 0 && column + 1 + word.len > LINE_WIDTH) {
			buf_putc(out, '\n');
			column = 0;
		}
		buf_puts(out, column == 0 ? indent : " ");
		column += (column == 0 ? strlen(indent) : 1) + word.len;
		buf_put_sv(out, word);
	}
	buf_putc(out, '\n');
	buf_free(&one);
}

static bool needs_8bit(struct sv s)
{
	return !utf8_is_ascii(s);
}

/* In-Reply-To and References (RFC 5322 3.6.4), when the mail has an identifier that can stand there. */
static void put_thread(const struct report *r, struct buf *out)
{
	struct sv rest = r->original;
	struct header_field field;
	struct buf id;
	int rc;
	buf_init(&id, VALUE_MAX);
	while ((rc = header_next(&rest, &field)) == 1 && field.id != HDR_MESSAGE_ID)
		;
	if (rc == 1 && header_unfold(&id, field.body) == 0) {
		struct sv s = sv_trim(buf_sv(&id));
		if (s.len > 2 && s.len < 900 && sv_is_print(s) && sv_chr(s, ' ') < 0 && s.p[0] == '<' &&
		        s.p[s.len - 1] == '>') {
			header_put(out, SV("References"), s, 900);
			header_put(out, SV("In-Reply-To"), s, 900);
		}
	}
	buf_free(&id);
}

static void put_header(const struct report *r, struct buf *out)
{
	const struct bouncecf_template *t = r->template;
	struct buf v;
	buf_init(&v, 4 * VALUE_MAX);
	put_date_field(r, out, "Date", r->now_s);
	header_put(out, SV("From"), t->from, 900); /* completed by cleanup where it has no domain */
	put_address(r, &v, r->to);
	header_put(out, SV("To"), buf_sv(&v), 900);
	header_put(out, SV("Subject"), for_postmaster(r) ? t->postmaster_subject : t->subject, 900);
	if (r->threaded)
		put_thread(r, out);
	buf_puts(out, "Auto-Submitted: auto-replied\n");
	buf_puts(out, "MIME-Version: 1.0\n");
	buf_puts(out, "Content-Type: multipart/report; report-type=");
	buf_puts(out, r->smtputf8 ? "global-delivery-status" : "delivery-status");
	buf_printf(out, ";\n\tboundary=\"%.*s\"\n", SV_ARG(r->boundary));
	if (r->smtputf8 || needs_8bit(r->original) || needs_8bit(t->text))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_puts(out, "\nThis is a report in MIME format.\n");
	buf_free(&v);
}

/* A copy for the postmaster holds no template's text: that speaks to the sender. */
static void put_explanation(const struct report *r, struct buf *out)
{
	if (!for_postmaster(r)) {
		buf_put_sv(out, r->template->text);
		return;
	}
	buf_puts(out, "This is the mail server ");
	clean(r, out, r->myhostname);
	buf_puts(out, ".\n\n");
	put_wrapped(r, out,
	        r->kind == REPORT_POSTMASTER_DELAY
	                ? SV("A mail is delayed. The reasons are listed below; its header is attached. "
	                     "Delivery will be tried again.")
	                : SV("A mail could not be delivered. The reasons are listed below; its header is "
	                     "attached."),
	        "");
}

static void put_text_rcpt(const struct report *r, struct buf *out, const struct report_rcpt *p)
{
	buf_puts(out, "\n<");
	put_address(r, out, p->recipient);
	buf_putc(out, '>');
	if (p->original.len > 0 && !addr_ieq(p->original, p->recipient)) {
		buf_puts(out, " (sent to <");
		put_address(r, out, p->original);
		buf_puts(out, ">)");
	}
	buf_puts(out, ":\n");
	struct buf text;
	buf_init(&text, 2 * VALUE_MAX);
	/* where several actions may stand side by side each is named */
	if (r->kind == REPORT_SUCCESS || r->kind == REPORT_VERIFY) {
		clean(r, &text, p->action);
		if (p->text.len > 0)
			buf_puts(&text, ": ");
	}
	buf_put_sv(&text, sv_upto(p->text, VALUE_MAX));
	put_wrapped(r, out, text.len > 0 ? buf_sv(&text) : p->action, "    ");
	buf_free(&text);
}

static void put_text_part(const struct report *whole, struct buf *out)
{
	const struct bouncecf_template *t = whole->template;
	struct report r = *whole;
	/* addresses in UTF-8 can stand beside a text in UTF-8 only */
	bool ascii = sv_ieqz(t->charset, "us-ascii") || for_postmaster(whole);
	r.smtputf8 = whole->smtputf8 && (ascii || sv_ieqz(t->charset, "utf-8"));
	struct sv charset = r.smtputf8 ? SV("utf-8") : ascii ? SV("us-ascii") : t->charset;
	buf_printf(out, "\n--%.*s\n", SV_ARG(r.boundary));
	buf_puts(out, "Content-Description: Notification\n");
	buf_printf(out, "Content-Type: text/plain; charset=%.*s\n", SV_ARG(charset));
	if (r.smtputf8 || (!for_postmaster(&r) && needs_8bit(t->text)))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_putc(out, '\n');
	put_explanation(&r, out);
	for (size_t i = 0; i < r.nrcpts; i++)
		put_text_rcpt(&r, out, &r.rcpts[i]);
	if (r.nmore > 0)
		buf_printf(out, "\nand %zu more recipients.\n", r.nmore);
}

/*
 * ORCPT as the sender gave it. Without one, the address of RCPT: a relay may add it as ORCPT (RFC 3461
 * 5.2.1 d), and a mail that went through an alias here was relayed, in a way; without the field nobody could
 * tell from which address of the sender's list the report comes.
 */
static void put_original_recipient(const struct report *r, struct buf *out, const struct report_rcpt *p)
{
	struct sv type, addr;
	char z[65];
	if (p->orcpt.len == 0 || dsn_addr_split(p->orcpt, &type, &addr) != 1 ||
	        sv_copyz(type, z, sizeof(z)) < 0) {
		if (p->original.len > 0)
			put_address_field(r, out, "Original-Recipient", p->original);
	} else if (utf8_is_ascii(addr)) {
		put_typed(r, out, "Original-Recipient", z, addr);
	} else {
		put_utf8_field(r, out, "Original-Recipient", z, addr);
	}
}

/* RFC 3461 6.3 g: a code in any case. */
static void put_status(const struct report *r, struct buf *out, const struct report_rcpt *p)
{
	struct dsn_code code;
	if (dsn_parse(p->dsn, &code, NULL) != 1) {
		bool bad = sv_eqz(p->action, "failed") || sv_eqz(p->action, "undeliverable");
		code = bad ? DSN(5, 0, 0) : sv_eqz(p->action, "delayed") ? DSN(4, 0, 0) : DSN(2, 0, 0);
	}
	char text[DSN_TEXT_MAX];
	put_field(r, out, "Status", sv_z(dsn_format(code, text)));
}

/* One recipient, its fields in the order of the grammar of RFC 3464 2.3. */
static void put_status_rcpt(const struct report *r, struct buf *out, const struct report_rcpt *p)
{
	buf_putc(out, '\n');
	put_original_recipient(r, out, p);
	put_address_field(r, out, "Final-Recipient", p->recipient);
	put_field(r, out, "Action", p->action);
	put_status(r, out, p);
	if (p->remote_mta.len > 0)
		put_typed(r, out, "Remote-MTA", "dns", p->remote_mta);
	if (p->diagnostic.len > 0)
		put_typed(r, out, "Diagnostic-Code", "smtp", p->diagnostic);
	else if (p->text.len > 0)
		put_typed(r, out, "Diagnostic-Code", "X-merpati", p->text);
	if (p->attempt_s > 0)
		put_date_field(r, out, "Last-Attempt-Date", p->attempt_s);
	if (report_template(r->kind) == BOUNCECF_DELAY && r->retry_until_s > 0)
		put_date_field(r, out, "Will-Retry-Until", r->retry_until_s);
}

static void put_status_part(const struct report *r, struct buf *out)
{
	buf_printf(out, "\n--%.*s\n", SV_ARG(r->boundary));
	buf_puts(out, "Content-Description: Delivery report\n");
	buf_printf(out, "Content-Type: message/%sdelivery-status\n", r->smtputf8 ? "global-" : "");
	if (r->smtputf8)
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_putc(out, '\n');
	if (r->envid.len > 0)
		put_field(r, out, "Original-Envelope-Id", r->envid);
	/* RFC 3461 6.3 b: a name without a domain is none of the DNS */
	put_typed(r, out, "Reporting-MTA", sv_chr(r->myhostname, '.') > 0 ? "dns" : "x-local-hostname",
	        r->myhostname);
	put_date_field(r, out, "Arrival-Date", r->arrival_s);
	put_field(r, out, "X-Merpati-Queue-ID", r->queue_id);
	if (r->sender.len > 0)
		put_address_field(r, out, "X-Merpati-Sender", r->sender);
	for (size_t i = 0; i < r->nrcpts; i++)
		put_status_rcpt(r, out, &r->rcpts[i]);
}

static void put_original_part(const struct report *r, struct buf *out)
{
	const char *type =
	        r->header_only ? (r->smtputf8 ? "message/global-headers" : "text/rfc822-headers")
	                       : (r->smtputf8 ? "message/global" : "message/rfc822");
	buf_printf(out, "\n--%.*s\n", SV_ARG(r->boundary));
	buf_printf(out, "Content-Description: %s\n",
	        r->header_only ? "Header of the mail" : "The mail");
	buf_printf(out, "Content-Type: %s\n", type);
	if (r->smtputf8 || needs_8bit(r->original))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_putc(out, '\n');
	buf_put_sv(out, r->original);
	if (r->original.len > 0 && !sv_ends(r->original, SV("\n")))
		buf_putc(out, '\n');
	buf_printf(out, "\n--%.*s--\n", SV_ARG(r->boundary));
}

int report_make(const struct report *r, struct buf *out)
{
	put_header(r, out);
	put_text_part(r, out);
	put_status_part(r, out);
	put_original_part(r, out);
	return out->overflow ? -1 : 0;
}
