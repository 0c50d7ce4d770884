/* COPY, UID COPY (RFC 3501 6.4.7), MOVE, UID MOVE (RFC 6851); COPYUID (RFC 4315) */
#include "imapd/imapd.h"

static void put_copyuid(struct imap_session *s, const struct store_copied *c)
{
	buf_printf(&s->out, "[COPYUID %u ", (unsigned)c->uidvalidity);
	imap_seqset_write(&s->out, c->from, c->n);
	buf_putc(&s->out, ' ');
	imap_seqset_write(&s->out, c->to, c->n);
	buf_puts(&s->out, "] ");
}

void imapd_cmd_copy(struct imap_session *s)
{
	bool move = s->cmd.verb == IMAP_MOVE;
	struct store_copied c = { .n = 0 };
	struct imap_indexes idx;
	struct imap_seqset set;
	struct err e = ERR_INIT;
	struct sv name;

	if (imap_sp(&s->parse) != 1 || imap_seqset_parse(&s->parse, &set) != 1 || set.saved) {
		imapd_syntax(s);
		return;
	}
	if (imapd_only_mailbox(s, &name) < 0 || (move && !imapd_need_writable(s)) ||
	        imapd_indexes(s, &set, &idx) < 0)
		return;
	int rc = idx.n == 0 ? 1
	                    : store_box_copy(s->view.box, idx.v, idx.n, store_mailbox(name), move,
	                              &s->arena, &c, &e);

	if (s->arena.exhausted) {
		imapd_exhausted(s);
		return;
	}
	if (rc < 0) {
		imapd_failed(s, move ? "MOVE" : "COPY", &e);
		return;
	}
	if (rc == 0) {
		imapd_no(s, "[TRYCREATE] There is no such mailbox.");
		return;
	}
	if (!move) {
		if (!imapd_sync(s, true))
			return;
		buf_reset(&s->out);
		buf_printf(&s->out, "%.*s OK ", SV_ARG(s->cmd.tag));
		if (c.n)
			put_copyuid(s, &c);
		buf_puts(&s->out, "Copy completed.\r\n");
		imapd_send_out(s);
		return;
	}
	/* RFC 6851 4.3: COPYUID comes before the EXPUNGEs, untagged */
	buf_reset(&s->out);
	if (c.n) {
		buf_puts(&s->out, "* OK ");
		put_copyuid(s, &c);
		buf_puts(&s->out, "Moved.\r\n");
		imapd_send_out(s);
	}
	s->expunged += c.n;
	imapd_ok(s, "Move completed.");
}
