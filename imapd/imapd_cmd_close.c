/* CLOSE (RFC 3501 6.4.2) and UNSELECT (RFC 3691) */
#include "imapd/imapd.h"

static int remove_deleted(struct imap_session *s, struct err *e)
{
	struct store_box *box = s->view.box;
	size_t count = store_box_count(box), n = 0;
	size_t *v = arena_array(&s->arena, count ? count : 1, sizeof(*v));

	if (!v)
		return err_set(e, ERR_TEMP, "the mailbox is too large for imapd_memory_limit");
	for (size_t i = 0; i < count; i++) {
		const struct store_msg *m = store_box_msg(box, i);

		if (!m->gone && m->flags & STORE_DELETED)
			v[n++] = i;
	}
	s->expunged += n;
	return n ? store_box_expunge(box, v, n, e) : 1;
}

void imapd_cmd_close(struct imap_session *s)
{
	bool expunge = s->cmd.verb == IMAP_CLOSE && !s->view.read_only;
	struct err e = ERR_INIT;

	if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (expunge && remove_deleted(s, &e) < 0) {
		imapd_failed(s, "CLOSE", &e);
		return;
	}
	imapd_view_close(s);
	imapd_ok(s, "%s completed.", s->cmd.verb == IMAP_CLOSE ? "Close" : "Unselect");
}
