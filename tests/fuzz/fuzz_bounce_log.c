/* links: queue */
/* Bounce log blocks out of hostile octets: always forward; what is read encodes and reads back the same. */
#include "lib/queue/bounce_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct bounce_entry en, again;
	size_t used = 0, dummy;
	while (bounce_entry_decode(in, &en, &used) == 1) {
		struct buf b;
		if (used == 0 || used > in.len)
			abort();
		buf_init(&b, BOUNCE_LOG_BLOCK_MAX);
		if (bounce_entry_encode(&en, &b) == 0 && bounce_entry_decode(buf_sv(&b), &again, &dummy) != 1)
			abort();
		buf_free(&b);
		in = sv_from(in, used);
	}
	if (used > in.len)
		abort();
	return 0;
}
