/* links: wire mail */
/*
 * The octets after DATA. Octet 0 chooses the mode, octet 1 seeds the segmentation; the rest is the
 * stream. Oracle: a decoder that sees the whole stream at once, written from the rules alone.
 */
#include "lib/wire/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Content of one line (without its end): unstuffed, stray CR to blank, NUL dropped. */
static void reference_line(struct sv line, bool keep_dot, struct buf *out)
{
	if (line.len && line.p[0] == '.' && !keep_dot)
		line = sv_from(line, 1);
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] != '\0')
			buf_putc(out, line.p[i] == '\r' ? ' ' : line.p[i]);
	buf_putc(out, '\n');
}

/* Returns octets taken up to and with the end, or 0 when there is none. */
static size_t reference(struct sv in, enum smtp_bare_newline mode, struct buf *out)
{
	bool prev_crlf = true;
	size_t pos = 0;
	for (const char *lf; (lf = memchr(in.p + pos, '\n', in.len - pos)) != NULL;) {
		size_t end = (size_t)(lf - in.p);
		bool crlf = end > pos && in.p[end - 1] == '\r';
		struct sv line = sv_sub(in, pos, end - pos - crlf);
		bool dot = sv_eqz(line, ".");
		pos = end + 1;
		if (dot && (mode == SMTP_BARE_NL_NO || (crlf && prev_crlf)))
			return pos;
		reference_line(line, dot, out);
		prev_crlf = crlf;
		if (pos == in.len)
			break;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum smtp_bare_newline mode = (enum smtp_bare_newline)(data[0] & 3);
	uint32_t seed = data[1] * 2654435761u + 1;
	struct sv in = sv_n((const char *)data + 2, size - 2), rest = in;
	struct buf want, got;
	struct smtp_data d;
	buf_init(&want, 2 * size + 16);
	buf_init(&got, 2 * size + 64);
	size_t want_end = in.len ? reference(in, mode, &want) : 0;
	smtp_data_init(&d, mode, true);
	int rc = 0;
	while (rest.len && rc == 0) {
		seed = seed * 1664525u + 1013904223u;
		size_t n = 1 + (seed >> 24) % (data[1] < 128 ? 4 : 64);
		struct sv piece = sv_upto(rest, n);
		size_t len = piece.len;
		rc = smtp_data_feed(&d, &piece, &got);
		check(rc >= 0 && (rc == 1 || piece.len == 0));
		rest = sv_from(rest, len - piece.len);
	}
	check((rc == 1) == (want_end > 0));
	check(d.size == got.len && d.crlf_size == d.size + d.lines);
	if (rc == 1) {
		check(in.len - rest.len == want_end);
		check(sv_eq(buf_sv(&got), buf_sv(&want)));
	} else {
		check(sv_starts(buf_sv(&got), buf_sv(&want)));
	}
	buf_free(&want);
	buf_free(&got);
	return 0;
}
