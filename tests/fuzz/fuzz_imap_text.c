/* links: imapd_core base */
/* Fuzz target of imapd_text.c and imapd_charset.c: looking for text in any message, in any charset.
 */
#include "imapd/imapd_charset.h"
#include "imapd/imapd_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mime_limits limits = MIME_LIMITS_DEFAULT;
	struct sv text = sv_n((const char *)data, size);
	/* the first octets are looked for, too: they are there, if they survive folding */
	struct sv needles[] = { SV("needle"), SV(""), sv_upto(text, 3) };
	struct mime_part *root;
	struct arena a;
	struct buf folded, again;

	arena_init(&a, 64 << 20);
	if (mime_parse(text, &limits, &a, &root) == 0)
		for (size_t i = 0; i < ARRAY_LEN(needles); i++) {
			imapd_text_in_body(text, root, needles[i]);
			imapd_text_in_head(text, needles[i]);
			imapd_text_in_field(text, SV("Subject"), needles[i]);
		}
	arena_free(&a);
	/* folding twice changes nothing */
	buf_init(&folded, 8 * size + 8);
	buf_init(&again, 8 * size + 8);
	if (imapd_fold(&folded, text) < 0 || imapd_fold(&again, buf_sv(&folded)) < 0 ||
	        !sv_eq(buf_sv(&folded), buf_sv(&again)))
		abort();
	buf_free(&folded);
	buf_free(&again);
	return 0;
}
