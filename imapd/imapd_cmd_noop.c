/* NOOP (RFC 3501 6.1.2): its answer brings what changed. */
#include "imapd/imapd.h"

void imapd_cmd_noop(struct imap_session *s)
{
	if (imap_end(&s->parse) != 1)
		imapd_syntax(s);
	else
		imapd_ok(s, "NOOP completed.");
}
