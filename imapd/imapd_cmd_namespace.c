/* NAMESPACE (RFC 2342): one, the user's own. */
#include "imapd/imapd.h"

void imapd_cmd_namespace(struct imap_session *s)
{
	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	stream_printf(s->io, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n", STORE_SEPARATOR);
	imapd_ok(s, "Namespace completed.");
}
