/* DELETE (RFC 3501 6.3.4): children stay; a name that only has children cannot be deleted. */
#include "imapd/imapd.h"

void imapd_cmd_delete(struct imap_session *s)
{
	struct err e = ERR_INIT;
	struct sv name;

	if (imapd_only_mailbox(s, &name) < 0)
		return;
	if (s->view.box && sv_eq(store_box_name(s->view.box), name) && !store_name_is_inbox(name))
		imapd_view_close(s);
	int rc = store_delete(s->account, store_mailbox(name), &e);

	if (rc < 0)
		imapd_failed(s, "DELETE", &e);
	else if (rc == 0)
		imapd_no(s, "[NONEXISTENT] There is no such mailbox.");
	else
		imapd_ok(s, "Delete completed.");
}
