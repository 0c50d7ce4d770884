/* CREATE (RFC 3501 6.3.3) */
#include "imapd/imapd.h"

void imapd_cmd_create(struct imap_session *s)
{
	struct err e = ERR_INIT;
	struct sv name;

	if (imapd_only_mailbox(s, &name) < 0)
		return;
	/* "a." announces that names below "a" will be created; "a" itself is made */
	if (name.len > 1 && name.p[name.len - 1] == STORE_SEPARATOR)
		name.len--;
	int rc = store_create(s->account, store_mailbox(name), &e);

	if (rc < 0)
		imapd_failed(s, "CREATE", &e);
	else if (rc == 0)
		imapd_no(s, "[ALREADYEXISTS] There is a mailbox of that name already.");
	else
		imapd_ok(s, "Create completed.");
}
