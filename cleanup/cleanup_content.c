/*
 * cleanup/cleanup_content.c - the content as it comes: header fields are collected one by one, the body
 * passes through. Pieces may end anywhere, also inside a line.
 */
#include "cleanup/cleanup.h"

int cleanup_put(struct cleanup_mail *m, struct sv octets)
{
	struct err e = ERR_INIT;
	if (m->verdict.status != CLEANUP_COMMITTED)
		return -1;
	if (queue_writer_put(&m->w, octets, &e) < 0)
		return cleanup_fail_temp(m, &e);
	return 0;
}

static size_t header_max(const struct cleanup_mail *m)
{
	return (size_t)m->c->core.header_size_limit;
}

/* Keep what fits below header_size_limit; the excess of a field is dropped, as the limit promises. The
 * buffers are a little larger, so that a line end always fits behind. */
static void put_cut(struct cleanup_mail *m, struct buf *b, struct sv s)
{
	size_t room = header_max(m) > b->len ? header_max(m) - b->len : 0;
	(void)buf_put_sv(b, sv_upto(s, room));
}

/* The field that was being read is complete. */
static int flush_field(struct cleanup_mail *m)
{
	if (m->field.len == 0)
		return 0;
	if (m->field.p[m->field.len - 1] != '\n')
		(void)buf_putc(&m->field, '\n');
	int rc = cleanup_header_field(m, buf_sv(&m->field));
	buf_reset(&m->field);
	return rc;
}

static void end_header(struct cleanup_mail *m)
{
	if (flush_field(m) == 0)
		(void)cleanup_header_done(m);
	m->part = PART_BODY;
}

/* LINE with its LF, but for the last one of a message. */
static void header_line_in(struct cleanup_mail *m, struct sv line)
{
	struct sv name, body;
	if (line.p[0] == '\n') {
		end_header(m);
		(void)cleanup_put(m, line);
		return;
	}
	if ((line.p[0] == ' ' || line.p[0] == '\t') && m->field.len > 0) {
		put_cut(m, &m->field, line);
		return;
	}
	if (flush_field(m) < 0)
		return;
	/* what lies behind the limit does not decide: a line may come in pieces */
	if (header_line(sv_upto(line, header_max(m)), &name, &body) == 1) {
		put_cut(m, &m->field, line);
		return;
	}
	/* text without an empty line before it: the header ends here for everybody who reads this later */
	end_header(m);
	if (cleanup_put(m, SV("\n")) == 0)
		(void)cleanup_put(m, line);
}

/* The unfinished line has reached its ceiling: when it is text and no header, it must not be cut. */
static void spill_long_text(struct cleanup_mail *m)
{
	struct sv line = buf_sv(&m->line), name, body;
	bool continues = (line.p[0] == ' ' || line.p[0] == '\t') && m->field.len > 0;
	if (continues || header_line(line, &name, &body) == 1)
		return;
	end_header(m);
	if (cleanup_put(m, SV("\n")) == 0)
		(void)cleanup_put(m, line);
	buf_reset(&m->line);
}

/* Take octets of the header; returns how many were used. */
static size_t feed_header(struct cleanup_mail *m, struct sv octets)
{
	ptrdiff_t lf = sv_chr(octets, '\n');
	size_t n = lf < 0 ? octets.len : (size_t)lf + 1;
	if (m->line.len == 0 && lf >= 0) {
		header_line_in(m, sv_upto(octets, n));
		return n;
	}
	size_t room = header_max(m) - m->line.len;
	if (n > room && room > 0) {
		n = room;
		lf = -1;
	}
	if (room == 0) { /* a header line: its excess is dropped */
		if (lf < 0)
			return n;
		(void)buf_putc(&m->line, '\n');
	} else {
		(void)buf_put_sv(&m->line, sv_upto(octets, n));
	}
	if (lf >= 0) {
		header_line_in(m, buf_sv(&m->line));
		buf_reset(&m->line);
	} else if (m->line.len >= header_max(m)) {
		spill_long_text(m);
	}
	return n;
}

void cleanup_content(struct cleanup_mail *m, struct sv octets)
{
	long limit = m->c->core.message_size_limit;
	m->octets += octets.len;
	if (limit > 0 && m->octets > (uint64_t)limit && !(m->o.flags & CLEANUP_FLAG_RESUBMIT))
		cleanup_fail(m, CLEANUP_PERM, 552, "5.3.4", "Error: message file too big");
	while (octets.len > 0 && m->part == PART_HEADER && m->verdict.status == CLEANUP_COMMITTED)
		octets = sv_from(octets, feed_header(m, octets));
	if (octets.len > 0)
		(void)cleanup_put(m, octets);
}

void cleanup_content_end(struct cleanup_mail *m)
{
	if (m->part != PART_HEADER || m->verdict.status != CLEANUP_COMMITTED)
		return;
	if (m->line.len > 0) {
		if (m->line.p[m->line.len - 1] != '\n')
			(void)buf_putc(&m->line, '\n');
		header_line_in(m, buf_sv(&m->line));
		buf_reset(&m->line);
	}
	if (m->part == PART_HEADER && m->verdict.status == CLEANUP_COMMITTED)
		end_header(m);
}
