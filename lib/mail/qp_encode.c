#include "lib/mail/qp_encode.h"

#define LINE_MAX_CHARS 76

void qp_encode_init(struct qp_encoder *q)
{
	*q = (struct qp_encoder){ .column = 0 };
}

/* Room for N more characters on this line, and for the '=' of a soft line break. */
static char *break_line(struct qp_encoder *q, unsigned n, char *o)
{
	if (q->column + n < LINE_MAX_CHARS)
		return o;
	*o++ = '=';
	*o++ = '\n';
	q->column = 0;
	return o;
}

static char *put_plain(struct qp_encoder *q, char c, char *o)
{
	o = break_line(q, 1, o);
	*o++ = c;
	q->column++;
	return o;
}

static char *put_quoted(struct qp_encoder *q, char c, char *o)
{
	static const char hex[] = "0123456789ABCDEF";
	o = break_line(q, 3, o);
	*o++ = '=';
	*o++ = hex[(unsigned char)c >> 4];
	*o++ = hex[(unsigned char)c & 15];
	q->column += 3;
	return o;
}

/* What was held is followed by an octet of the line, or LAST: by the line's end. */
static char *put_held(struct qp_encoder *q, bool last, char *o)
{
	char c = q->held;
	q->held = '\0';
	if (c == '\0' || (c == '\r' && last))
		return o;
	return last || c == '\r' ? put_quoted(q, c, o) : put_plain(q, c, o);
}

static char *put_octet(struct qp_encoder *q, char c, char *o)
{
	if (c == '\n') {
		o = put_held(q, true, o);
		*o++ = '\n';
		q->column = 0;
		return o;
	}
	if (c == '\r' && (q->held == ' ' || q->held == '\t')) {
		/* the blank may still be the last of its line: that is safe in either form */
		o = put_quoted(q, q->held, o);
		q->held = c;
		return o;
	}
	o = put_held(q, false, o);
	if (c == ' ' || c == '\t' || c == '\r')
		q->held = c;
	else if (c > ' ' && c <= '~' && c != '=')
		o = put_plain(q, c, o);
	else
		o = put_quoted(q, c, o);
	return o;
}

int qp_encode(struct qp_encoder *q, struct sv in, struct buf *out)
{
	if (in.len > (SIZE_MAX - 8) / 5)
		return -1;
	char *start = buf_room(out, 5 * in.len + 8);
	if (!start)
		return -1;
	char *o = start;
	for (size_t i = 0; i < in.len; i++)
		o = put_octet(q, in.p[i], o);
	buf_added(out, (size_t)(o - start));
	return 0;
}

int qp_encode_finish(struct qp_encoder *q, struct buf *out)
{
	char *start = buf_room(out, 8);
	if (!start)
		return -1;
	char *o = q->held == '\r' ? put_quoted(q, '\r', start) : put_held(q, true, start);
	q->held = '\0';
	buf_added(out, (size_t)(o - start));
	return 0;
}
