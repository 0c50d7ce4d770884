/* RENAME (RFC 3501 6.3.5) */
#include "imapd/imapd.h"

/* Does the selected mailbox move when FROM does? */
static bool moves_selected(const struct imap_session *s, struct sv from)
{
	if (!s->view.box || store_name_is_inbox(from))
		return false; /* INBOX stays, its mail moves: reported as EXPUNGE */
	struct sv name = store_box_name(s->view.box);

	return sv_starts(name, from) &&
	       (name.len == from.len || name.p[from.len] == STORE_SEPARATOR);
}

void imapd_cmd_rename(struct imap_session *s)
{
	struct err e = ERR_INIT;
	struct sv from, to;

	if (imap_sp(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (imapd_mailbox_arg(s, &from) < 0 || imapd_only_mailbox(s, &to) < 0)
		return;
	if (to.len > 1 && to.p[to.len - 1] == STORE_SEPARATOR)
		to.len--;
	if (moves_selected(s, from))
		imapd_view_close(s);
	int rc = store_rename(s->account, store_mailbox(from), store_mailbox(to), &e);

	if (rc < 0)
		imapd_failed(s, "RENAME", &e);
	else if (rc == 0)
		imapd_no(s, "[NONEXISTENT] There is no such mailbox.");
	else
		imapd_ok(s, "Rename completed.");
}
