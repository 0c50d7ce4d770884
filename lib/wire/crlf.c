#include "lib/wire/crlf.h"

void crlf_init(struct crlf *c, bool dots, bool clean_cr)
{
	*c = (struct crlf){ .dots = dots, .clean_cr = clean_cr, .bol = true };
}

/* Copy a stretch without LF; a CR is held back (.cr) when it is the last octet and clean_cr is
 * set, since what follows decides about it. */
static char *put_run(struct crlf *c, const char *p, size_t n, char *o)
{
	if (n == 0)
		return o;
	if (c->cr && c->clean_cr)
		*o++ = ' '; /* the held CR was stray */
	c->cr = p[n - 1] == '\r';
	size_t keep = c->cr && c->clean_cr ? n - 1 : n;
	memcpy(o, p, keep);
	if (c->clean_cr)
		for (char *cr = o; (cr = memchr(cr, '\r', (size_t)(o + keep - cr))) != NULL; cr++)
			*cr = ' ';
	c->bol = false;
	return o + keep;
}

/* The same for a stretch that may be too long for a line. */
static char *put_lines(struct crlf *c, const char *p, size_t n, char *o)
{
	while (c->limit > 0 && n > c->limit - c->column) {
		size_t part = c->limit - c->column;
		o = put_run(c, p, part, o);
		if (c->cr && c->clean_cr)
			*o++ = ' '; /* no LF follows at once */
		c->cr = false;
		memcpy(o, "\r\n ", 3);
		o += 3;
		p += part;
		n -= part;
		c->column = c->limit > 1 ? 1 : 0; /* the blank counts; a limit of one has no room for it */
	}
	c->column += c->limit > 0 ? n : 0;
	return put_run(c, p, n, o);
}

int crlf_put(struct crlf *c, struct sv in, struct buf *out)
{
	size_t broken = c->limit > 1 ? in.len / (c->limit - 1) + 1 : c->limit * (in.len + 1);
	if (in.len > (SIZE_MAX - 16) / 8)
		return -1;
	char *start = buf_room(out, 2 * in.len + 2 + 4 * broken);
	if (!start)
		return -1;
	char *o = start;
	while (in.len) {
		if (c->bol && c->dots && in.p[0] == '.')
			*o++ = '.';
		const char *lf = memchr(in.p, '\n', in.len);
		size_t n = lf ? (size_t)(lf - in.p) : in.len;
		o = put_lines(c, in.p, n, o);
		if (!lf)
			break;
		if (!c->cr || c->clean_cr)
			*o++ = '\r';
		*o++ = '\n';
		c->cr = false;
		c->bol = true;
		c->column = 0;
		in = sv_from(in, n + 1);
	}
	buf_added(out, (size_t)(o - start));
	return 0;
}

int crlf_finish(struct crlf *c, struct buf *out)
{
	int rc = 0;
	if (c->cr && c->clean_cr)
		rc |= buf_putc(out, ' ');
	if (c->dots && !c->bol)
		rc |= buf_puts(out, "\r\n");
	if (c->dots)
		rc |= buf_puts(out, ".\r\n");
	c->cr = false;
	c->bol = true;
	c->column = 0;
	return rc;
}

uint64_t crlf_size(struct sv content, char last)
{
	uint64_t size = content.len;
	const char *p = content.p, *end = content.p + content.len;
	for (const char *lf; p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) {
		char before = lf == content.p ? last : lf[-1];
		size += before != '\r';
	}
	return size;
}
