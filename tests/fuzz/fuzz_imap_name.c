/* links: wire mail */
/* Mailbox names: UTF-7 has one form for one name; patterns (before the first NUL) match as a
 * matcher that tries everything says. */
#include "lib/base/utf8.h"
#include "lib/wire/imap_pattern.h"
#include "lib/wire/imap_utf7.h"
#include "lib/wire/imap_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Table of "pattern from i matches name from k", filled from the end. */
static bool slow_match(struct sv pat, struct sv name, char delim)
{
	static bool m[65][65];
	for (size_t i = pat.len + 1; i-- > 0;) {
		for (size_t k = name.len + 1; k-- > 0;) {
			bool end = k == name.len;
			if (i == pat.len)
				m[i][k] = end;
			else if (pat.p[i] == '*')
				m[i][k] = m[i + 1][k] || (!end && m[i][k + 1]);
			else if (pat.p[i] == '%')
				m[i][k] = m[i + 1][k] || (!end && name.p[k] != delim && m[i][k + 1]);
			else
				m[i][k] = !end && pat.p[i] == name.p[k] && m[i + 1][k + 1];
		}
	}
	return m[0][0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct buf utf8, utf7;
	buf_init(&utf8, 4 * size + 16);
	buf_init(&utf7, 8 * size + 16);
	if (imap_utf7_decode(&utf8, in) == 1) {
		check(utf8_valid(buf_sv(&utf8)));
		check(imap_utf7_encode(&utf7, buf_sv(&utf8)) == 1);
		check(sv_eq(buf_sv(&utf7), in));
	}
	buf_reset(&utf8);
	buf_reset(&utf7);
	if (imap_utf7_encode(&utf7, in) == 1) {
		check(imap_utf7_decode(&utf8, buf_sv(&utf7)) == 1);
		check(sv_eq(buf_sv(&utf8), in));
	}
	buf_reset(&utf7);
	imap_put_astring(&utf7, in);
	struct sv name = in;
	struct sv pat = sv_take_until(&name, '\0');
	unsigned got = imap_pattern_match(pat, name, '/');
	if (pat.len <= 64 && name.len <= 64 && !sv_istarts(name, SV("INBOX")))
		check(((got & IMAP_MATCH_YES) != 0) == slow_match(pat, name, '/'));
	buf_free(&utf8);
	buf_free(&utf7);
	return 0;
}
