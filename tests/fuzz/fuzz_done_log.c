/* links: queue */
/* Done-log records out of hostile octets: always forward, views inside, what is read can be written again. */
#include "lib/queue/done_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct done_record r;
	size_t used = 0;
	while (done_record_decode(in, &r, &used) == 1) {
		unsigned char again[DONE_LOG_RECORD_MAX];
		if (used == 0 || used > in.len || done_record_encode(&r, again) == 0)
			abort();
		in = sv_from(in, used);
	}
	if (used > in.len)
		abort();
	return 0;
}
