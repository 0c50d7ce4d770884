/* CHECK (RFC 3501 6.4.1): every change is durable already; what others changed is reported. */
#include "imapd/imapd.h"

void imapd_cmd_check(struct imap_session *s)
{
	if (imap_end(&s->parse) != 1)
		imapd_syntax(s);
	else
		imapd_ok(s, "Check completed.");
}
