/* STORE and UID STORE (RFC 3501 6.4.6) */
#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"

#define SLICE 500 /* messages whose flags change in one step */

static int apply(struct imap_session *s, const struct imap_indexes *idx,
        const struct imap_store *args, bool *gone)
{
	static const enum store_flag_op ops[] = {
		[IMAP_STORE_SET] = STORE_FLAGS_SET,
		[IMAP_STORE_ADD] = STORE_FLAGS_ADD,
		[IMAP_STORE_REMOVE] = STORE_FLAGS_REMOVE,
	};
	struct store_flag_change change = {
		.op = ops[args->op],
		.flags = imapd_store_flags(args->flags.system),
		.keywords = args->flags.keywords,
		.nkeywords = args->flags.nkeywords,
	};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < idx->n; i += SLICE) {
		size_t n = idx->n - i < SLICE ? idx->n - i : SLICE;
		int rc = store_box_flags(s->view.box, idx->v + i, n, &change, &e);

		if (rc < 0) {
			imapd_failed(s, "STORE", &e);
			return -1;
		}
		*gone = *gone || rc == 0;
	}
	return 1;
}

void imapd_cmd_store(struct imap_session *s)
{
	struct imap_indexes idx;
	struct imap_seqset set;
	struct imap_store args;
	bool gone = false;

	if (imap_sp(&s->parse) != 1 || imap_seqset_parse(&s->parse, &set) != 1 || set.saved ||
	        imap_sp(&s->parse) != 1 || imap_store_args(&s->parse, &args) != 1 ||
	        imap_end(&s->parse) != 1) {
		imapd_syntax(s);
		return;
	}
	if (!imapd_need_writable(s) || imapd_indexes(s, &set, &idx) < 0 ||
	        apply(s, &idx, &args, &gone) < 0)
		return;
	imapd_put_flags_seen(s, false);
	for (size_t i = 0; i < idx.n && !args.silent && !s->done; i++) {
		if (!store_box_msg(s->view.box, idx.v[i])->gone)
			imapd_put_flags(s, idx.v[i], s->cmd.uid);
		if (i % 1024 == 1023)
			fiber_yield();
	}
	if (gone && !s->cmd.uid)
		imapd_no(s, "[EXPUNGEISSUED] Some of the messages are gone.");
	else
		imapd_ok(s, "Store completed.");
}
