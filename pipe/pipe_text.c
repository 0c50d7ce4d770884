#include "pipe/pipe.h"

static const char from[] = "From ";

/* The octet C at the start of a line, or in "From " there. True: it was held back or written. */
static bool at_start(struct pipe_text *t, char c, struct buf *out, int *rc)
{
	if ((t->flags & PIPE_QUOTE_FROM) && c == from[t->matched]) {
		if (++t->matched < sizeof(from) - 1)
			return true;
		*rc = buf_printf(out, ">%s", from);
		t->matched = 0;
		t->in_line = true;
		return true;
	}
	if (t->matched == 0 && (t->flags & PIPE_DOT) && c == '.')
		*rc = buf_putc(out, '.');
	if (*rc == 0)
		*rc = buf_put(out, from, t->matched);
	t->matched = 0;
	t->in_line = true;
	return false;
}

int pipe_text_put(struct pipe_text *t, struct sv block, struct buf *out)
{
	int rc = 0;
	while (block.len > 0 && rc == 0) {
		if (!t->in_line && at_start(t, block.p[0], out, &rc)) {
			block = sv_from(block, 1);
			continue;
		}
		ptrdiff_t at = sv_chr(block, '\n');
		size_t n = at < 0 ? block.len : (size_t)at;
		if (rc == 0)
			rc = buf_put(out, block.p, n);
		if (rc == 0 && at >= 0)
			rc = buf_put_sv(out, t->eol);
		t->in_line = at < 0;
		block = sv_from(block, n + (at >= 0 ? 1 : 0));
	}
	return rc;
}

int pipe_text_end(struct pipe_text *t, struct buf *out)
{
	int rc = buf_put(out, from, t->matched);
	if (rc == 0 && (t->in_line || t->matched))
		rc = buf_put_sv(out, t->eol);
	if (rc == 0 && (t->flags & PIPE_BLANK_END))
		rc = buf_put_sv(out, t->eol);
	return rc;
}
