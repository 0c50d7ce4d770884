/* links: base -- what decodes must encode to the same text again */
#include "lib/base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct buf plain, again;

	buf_init(&plain, 1 << 20);
	buf_init(&again, 1 << 20);
	if (base64_decode(&plain, in) == 1 &&
		(base64_encode(&again, buf_sv(&plain)) < 0 || !sv_eq(buf_sv(&again), in)))
		abort();
	buf_free(&plain);
	buf_free(&again);
	return 0;
}
