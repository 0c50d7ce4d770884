/* SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7) */
#include "imapd/imapd.h"

void imapd_cmd_subscribe(struct imap_session *s)
{
	bool on = s->cmd.verb == IMAP_SUBSCRIBE;
	struct err e = ERR_INIT;
	struct sv name;

	if (imapd_only_mailbox(s, &name) < 0)
		return;
	if (store_subscribe(s->account, store_mailbox(name), on, &e) < 0)
		imapd_failed(s, on ? "SUBSCRIBE" : "UNSUBSCRIBE", &e);
	else
		imapd_ok(s, "%s completed.", on ? "Subscribe" : "Unsubscribe");
}
