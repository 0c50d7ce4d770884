#include "lib/mail/mbox_text.h"

#include <string.h>

#include "lib/mail/addr.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"

#define FROM_LINE_MAX 4096

static const char from_[] = "From ";

int mbox_from_line(struct buf *out, struct sv sender, int64_t t, int tz_min)
{
	struct buf line;
	buf_init(&line, FROM_LINE_MAX);
	int rc = sv_empty(sender) ? buf_puts(&line, "MAILER-DAEMON") : addr_quote(&line, sender);
	if (rc == 0)
		rc = buf_puts(out, from_);
	if (rc == 0)
		rc = header_clean(out, buf_sv(&line));
	if (rc == 0)
		rc = buf_puts(out, "  ");
	if (rc == 0)
		rc = date_ctime_format(out, t, tz_min);
	buf_free(&line);
	return rc == 0 ? buf_putc(out, '\n') : rc;
}

/* The line is not a From_ line: what was held back goes out. */
static int release(struct mbox_quote *q, struct buf *out)
{
	int rc = buf_put(out, from_, q->matched);
	q->in_line = q->in_line || q->matched > 0;
	q->matched = 0;
	return rc;
}

/* The octets of IN up to and with the next line end, all of them when there is none. */
static struct sv to_line_end(struct sv in)
{
	ptrdiff_t lf = sv_chr(in, '\n');
	return lf < 0 ? in : sv_upto(in, (size_t)lf + 1);
}

int mbox_quote_put(struct mbox_quote *q, struct sv in, struct buf *out)
{
	int rc = 0;
	while (in.len > 0 && rc == 0) {
		if (q->in_line) {
			struct sv part = to_line_end(in);
			rc = buf_put_sv(out, part);
			q->in_line = part.p[part.len - 1] != '\n';
			in = sv_from(in, part.len);
		} else if (in.p[0] != from_[q->matched]) {
			rc = release(q, out);
			q->in_line = true; /* also for a line that is only its end */
		} else {
			in = sv_from(in, 1);
			if (++q->matched == sizeof(from_) - 1) {
				rc = buf_putc(out, '>');
				if (rc == 0)
					rc = release(q, out);
			}
		}
	}
	return rc;
}

int mbox_quote_end(struct mbox_quote *q, struct buf *out)
{
	int rc = release(q, out);
	if (rc == 0 && q->in_line)
		rc = buf_putc(out, '\n');
	*q = (struct mbox_quote){ .matched = 0 };
	return rc == 0 ? buf_putc(out, '\n') : rc;
}
