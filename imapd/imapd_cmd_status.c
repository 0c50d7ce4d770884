/* STATUS (RFC 3501 6.3.10) */
#include "imapd/imapd.h"
#include "lib/wire/imap_write.h"

static void put_item(
        struct imap_session *s, unsigned mask, unsigned bit, const char *name, uint32_t n)
{
	if (mask & bit)
		buf_printf(&s->out, "%s%s %u", s->out.p[s->out.len - 1] == '(' ? "" : " ", name,
		        (unsigned)n);
}

void imapd_cmd_status(struct imap_session *s)
{
	const unsigned known = IMAP_STATUS_MESSAGES | IMAP_STATUS_RECENT | IMAP_STATUS_UIDNEXT |
	                       IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_UNSEEN;
	struct store_status st;
	struct err e = ERR_INIT;
	struct sv name;
	unsigned mask;

	if (imap_sp(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (imapd_mailbox_arg(s, &name) < 0)
		return;
	if (imap_sp(&s->parse) != 1 || imap_status_items(&s->parse, &mask) != 1 ||
	        imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (mask & ~known) {
		imapd_bad(s, "Unknown STATUS item.");
		return;
	}
	int rc = store_status(s->account, store_mailbox(name), false, &st, &e);

	if (rc < 0) {
		imapd_failed(s, "STATUS", &e);
		return;
	}
	if (rc == 0) {
		imapd_no(s, "[NONEXISTENT] There is no such mailbox.");
		return;
	}
	buf_reset(&s->out);
	buf_puts(&s->out, "* STATUS ");
	imap_put_astring(&s->out, name);
	buf_puts(&s->out, " (");
	put_item(s, mask, IMAP_STATUS_MESSAGES, "MESSAGES", st.messages);
	put_item(s, mask, IMAP_STATUS_RECENT, "RECENT", st.recent);
	put_item(s, mask, IMAP_STATUS_UIDNEXT, "UIDNEXT", st.uidnext);
	put_item(s, mask, IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", st.uidvalidity);
	put_item(s, mask, IMAP_STATUS_UNSEEN, "UNSEEN", st.unseen);
	buf_puts(&s->out, ")\r\n");
	imapd_send_out(s);
	imapd_ok(s, "Status completed.");
}
