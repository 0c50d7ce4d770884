/* links: wire mail */
/* Replies of a server, and texts of ours: nothing but whole printable lines comes out. */
#include "lib/wire/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		check((unsigned char)s.p[i] >= 0x20 ? s.p[i] != 0x7f : s.p[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size), line;
	struct smtp_reply r, again;
	int rc = 0;
	smtp_reply_init(&r);
	smtp_reply_init(&again);
	for (struct sv rest = in; rc == 0 && sv_take_line(&rest, &line);)
		rc = smtp_reply_line(&r, line);
	check_text(buf_sv(&r.text));
	check(r.code == 0 || (r.code >= 200 && r.code < 600));
	struct buf b;
	buf_init(&b, 40 * size + 100);
	check(smtp_reply_put(&b, 250, DSN(2, 0, 0), in) == 0);
	/* what we say, a client of ours understands */
	rc = 0;
	struct sv rest = buf_sv(&b);
	while (rc == 0 && sv_take_line(&rest, &line))
		rc = smtp_reply_line(&again, line);
	check(again.lines > SMTP_REPLY_LINES_MAX || (rc == 1 && rest.len == 0));
	buf_free(&b);
	smtp_reply_free(&r);
	smtp_reply_free(&again);
	return 0;
}
