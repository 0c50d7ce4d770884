/* EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1) */
#include "imapd/imapd.h"

void imapd_cmd_expunge(struct imap_session *s)
{
	struct store_box *box = s->view.box;
	struct imap_seqset set;
	struct imap_indexes idx;
	struct err e = ERR_INIT;
	size_t n = 0;

	if (s->cmd.uid) {
		if (imap_sp(&s->parse) != 1 || imap_seqset_parse(&s->parse, &set) != 1 ||
		        set.saved || imap_end(&s->parse) != 1) {
			imapd_syntax(s);
			return;
		}
	} else if (imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (!imapd_need_writable(s))
		return;
	if (s->cmd.uid) {
		if (imapd_indexes(s, &set, &idx) < 0)
			return;
	} else {
		idx.n = store_box_count(box);
		idx.v = arena_array(&s->arena, idx.n ? idx.n : 1, sizeof(*idx.v));
		if (!idx.v) {
			imapd_exhausted(s);
			return;
		}
		for (size_t i = 0; i < idx.n; i++)
			idx.v[i] = i;
	}
	for (size_t i = 0; i < idx.n; i++) {
		const struct store_msg *m = store_box_msg(box, idx.v[i]);

		if (!m->gone && m->flags & STORE_DELETED)
			idx.v[n++] = idx.v[i];
	}
	if (n && store_box_expunge(box, idx.v, n, &e) < 0) {
		imapd_failed(s, "EXPUNGE", &e);
		return;
	}
	s->expunged += n;
	imapd_ok(s, "Expunge completed.");
}
