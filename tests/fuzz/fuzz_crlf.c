/* links: wire mail */
/*
 * Content to the wire and back: what leaves holds no lone LF, its only end of data is its end, and
 * the receiving decoder gives the content back.
 */
#include "lib/wire/crlf.h"
#include "lib/wire/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void convert(struct sv in, size_t step, bool dots, bool clean, size_t limit, struct buf *out)
{
	struct crlf c;
	crlf_init(&c, dots, clean);
	c.limit = limit;
	while (in.len) {
		struct sv piece = sv_upto(in, step);
		check(crlf_put(&c, piece, out) == 0);
		in = sv_from(in, piece.len);
	}
	check(crlf_finish(&c, out) == 0);
}

static void read_back(struct sv in, struct sv sent)
{
	struct smtp_data d;
	struct buf back;
	struct sv rest = sent;
	buf_init(&back, sent.len + 2);
	smtp_data_init(&d, SMTP_BARE_NL_REJECT, true);
	check(smtp_data_feed(&d, &rest, &back) == 1);
	check(rest.len == 0 && d.bare_lf == 0 && d.bare_cr == 0);
	/* the same text, but for CRs, NULs and a missing last line end */
	struct sv got = buf_sv(&back);
	size_t k = 0;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];
		if (c == '\0' || (c == '\r' && i + 1 < in.len && in.p[i + 1] == '\n'))
			continue;
		check(k < got.len && got.p[k++] == (c == '\r' ? ' ' : c));
	}
	check(got.len - k <= 1);
	buf_free(&back);
}

/* Every line is within the limit, but for the dot that is put before it, however the content comes. */
static void check_limit(struct sv in, size_t step, size_t limit)
{
	struct buf one, many;
	buf_init(&one, 16 * in.len + 64);
	buf_init(&many, 16 * in.len + 64);
	convert(in, SIZE_MAX, true, true, limit, &one);
	convert(in, step, true, true, limit, &many);
	check(sv_eq(buf_sv(&one), buf_sv(&many)));
	struct sv rest = buf_sv(&one), line;
	while (sv_take_line(&rest, &line))
		check(line.len <= (limit < 2 ? 2 : limit) + 1);
	buf_free(&one);
	buf_free(&many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct sv in = sv_n((const char *)data + 1, size - 1);
	size_t step = 1 + data[0] % 16;
	for (unsigned k = 0; k < 4; k++) {
		struct buf one, many;
		buf_init(&one, 8 * size + 64);
		buf_init(&many, 8 * size + 64);
		convert(in, SIZE_MAX, k & 1, k & 2, 0, &one);
		convert(in, step, k & 1, k & 2, 0, &many);
		check(sv_eq(buf_sv(&one), buf_sv(&many)));
		if (k == 0)
			check(one.len == crlf_size(in, '\0'));
		if (k == 3)
			read_back(in, buf_sv(&one));
		buf_free(&one);
		buf_free(&many);
	}
	check_limit(in, step, 1 + data[0] / 16);
	return 0;
}
