/* SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2) */
#include "imapd/imapd.h"

/* Sequence number of the first message without \Seen, 0 if none. */
static size_t first_unseen(const struct store_box *box)
{
	for (size_t i = 0; i < store_box_count(box); i++)
		if (!(store_box_msg(box, i)->flags & STORE_SEEN))
			return i + 1;
	return 0;
}

static size_t count_recent(const struct store_box *box)
{
	size_t n = 0;

	for (size_t i = 0; i < store_box_count(box); i++)
		n += store_box_msg(box, i)->recent;
	return n;
}

static void describe(struct imap_session *s)
{
	const struct store_box *box = s->view.box;
	size_t unseen = first_unseen(box);

	imapd_put_flags_seen(s, true);
	stream_printf(
	        s->io, "* %zu EXISTS\r\n* %zu RECENT\r\n", store_box_count(box), count_recent(box));
	if (unseen)
		stream_printf(s->io, "* OK [UNSEEN %zu] The first unseen message.\r\n", unseen);
	stream_printf(s->io,
	        "* OK [UIDVALIDITY %u] UIDs are valid.\r\n* OK [UIDNEXT %u] The next UID.\r\n",
	        (unsigned)store_box_uidvalidity(box), (unsigned)store_box_uidnext(box));
}

void imapd_cmd_select(struct imap_session *s)
{
	bool examine = s->cmd.verb == IMAP_EXAMINE;
	struct err e = ERR_INIT;
	struct sv name;

	if (imapd_only_mailbox(s, &name) < 0)
		return;
	/* whatever comes of it, what was selected no longer is (6.3.1) */
	imapd_view_close(s);
	int rc = store_box_open(s->account, store_mailbox(name),
	        examine ? STORE_BOX_READ : STORE_BOX_WRITE, &s->view.box, &e);

	if (rc < 0) {
		s->view.box = NULL;
		imapd_failed(s, "SELECT", &e);
	} else if (rc == 0) {
		s->view.box = NULL;
		imapd_no(s, "[NONEXISTENT] There is no such mailbox.");
	} else {
		s->view.read_only = examine || !store_box_writable(s->view.box);
		describe(s);
		/* not imapd_ok(): the client has just been told everything */
		stream_printf(s->io, "%.*s OK [%s] %s completed.\r\n", SV_ARG(s->cmd.tag),
		        s->view.read_only ? "READ-ONLY" : "READ-WRITE",
		        examine ? "Examine" : "Select");
	}
}
