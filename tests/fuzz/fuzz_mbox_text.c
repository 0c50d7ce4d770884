/* links: mail */
/*
 * Content on its way into an mbox file: the same whatever the blocks, ended by an empty line, no line of it the
 * start of another mail, and with the quotes taken off what it was. A sender is one line.
 */
#include "lib/mail/mbox_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void quote(struct sv in, size_t step, struct buf *out)
{
	struct mbox_quote q = { .matched = 0 };
	buf_reset(out);
	while (in.len > 0) {
		struct sv block = sv_upto(in, step);
		check(mbox_quote_put(&q, block, out) == 0);
		in = sv_from(in, block.len);
	}
	check(mbox_quote_end(&q, out) == 0);
}

static void check_lines(struct sv in, struct sv quoted)
{
	struct sv line, was;
	check(sv_ends(quoted, SV("\n")));
	quoted = sv_upto(quoted, quoted.len - 1); /* the empty line between mails */
	while (!sv_empty(in)) {
		was = sv_take_until(&in, '\n');
		line = sv_take_until(&quoted, '\n');
		check(!sv_starts(line, SV("From ")));
		check(sv_eq(line, was) || (sv_starts(line, SV(">From ")) && sv_eq(sv_from(line, 1), was)));
	}
	check(sv_empty(quoted));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct buf whole, parts;
	if (size > 20000)
		return 0;
	buf_init(&whole, 4 * size + 100);
	buf_init(&parts, 4 * size + 8192);
	quote(in, size ? size : 1, &whole);
	check_lines(in, buf_sv(&whole));
	for (size_t step = 1; step < 8; step++) {
		quote(in, step, &parts);
		check(sv_eq(buf_sv(&whole), buf_sv(&parts)));
	}
	buf_reset(&parts);
	if (mbox_from_line(&parts, in, 0, 0) == 0) {
		check(sv_starts(buf_sv(&parts), SV("From ")));
		check(sv_chr(buf_sv(&parts), '\n') == (ptrdiff_t)parts.len - 1);
	}
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
