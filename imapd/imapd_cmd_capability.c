/* CAPABILITY (RFC 3501 6.1.1) */
#include "imapd/imapd.h"

void imapd_cmd_capability(struct imap_session *s)
{
	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	stream_puts(s->io, "* CAPABILITY " IMAPD_CAPABILITIES "\r\n");
	imapd_ok(s, "Capability completed.");
}
