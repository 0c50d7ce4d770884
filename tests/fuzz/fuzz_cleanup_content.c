/* links: cleanup_core */
/*
 * Content of a mail through cleanup's header code, whole and in pieces: the same octets come out, and in
 * the body every octet that went in.
 */
#include "cleanup/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct cleanup *c, struct sv in, size_t step, struct buf *out)
{
	struct cleanup_mail m;
	struct msg_cleanup_open o;
	struct err e = ERR_INIT;
	memset(&o, 0, sizeof(o));
	cleanup_mail_init(&m, c);
	if (cleanup_mail_open(&m, &o, true, &e) < 0)
		abort();
	for (size_t at = 0; at < in.len; at += step)
		cleanup_content(&m, sv_sub(in, at, step));
	cleanup_content_end(&m);
	if (m.w.flushed == 0)
		(void)buf_put_sv(out, sv_from(buf_sv(&m.w.out), QUEUE_HEADER_SIZE));
	(void)buf_printf(out, "%d", (int)m.verdict.status);
	cleanup_mail_reset(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cleanup c;
	struct sv in = sv_n((const char *)data, size);
	struct buf whole, pieces;
	if (size > QUEUE_SMALL / 2)
		return 0;
	c.core.header_size_limit = 300;
	c.core.myhostname = "mail.example.test";
	c.p.hopcount_limit = 5;
	c.p.header_count_limit = 50;
	c.p.message_drop_headers = "bcc, content-length, resent-bcc, return-path";
	c.p.undisclosed_recipients_header = c.p.remote_header_rewrite_domain = "";
	buf_init(&whole, 2 * QUEUE_SMALL);
	buf_init(&pieces, 2 * QUEUE_SMALL);
	run(&c, in, size ? size : 1, &whole);
	run(&c, in, size % 13 + 1, &pieces);
	if (!sv_eq(buf_sv(&whole), buf_sv(&pieces)))
		abort();
	/* octets behind the first empty line are the message's own */
	ptrdiff_t end = sv_find(in, SV("\n\n"));
	if (end >= 0 && whole.len > 0 && whole.p[whole.len - 1] == '0') {
		struct sv body = sv_from(in, (size_t)end + 1), got = buf_sv(&whole);
		got.len--;
		if (!sv_ends(got, body))
			abort();
	}
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
