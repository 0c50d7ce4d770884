/* LOGOUT (RFC 3501 6.1.3) */
#include "imapd/imapd.h"

void imapd_cmd_logout(struct imap_session *s)
{
	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	stream_printf(
	        s->io, "* BYE Logging out\r\n%.*s OK Logout completed.\r\n", SV_ARG(s->cmd.tag));
	s->done = true;
	s->why = "Logged out";
}
