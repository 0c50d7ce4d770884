/* links: queue */
/* A maildrop file out of hostile octets: always forward, views inside, limits kept. */
#include "lib/queue/drop_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct drop_reader d = { 0 };
	struct drop_record r;
	const char *why = NULL;
	size_t used = 0;
	int rc;
	while ((rc = drop_next(&d, in, &r, &used, &why)) == 1) {
		if (used == 0 || used > in.len || r.data.p + r.data.len > in.p + in.len)
			abort();
		if (r.type != DROP_CONTENT && r.data.len > DROP_ADDRESS_MAX)
			abort();
		in = sv_from(in, used);
	}
	if ((rc < 0) != (why != NULL) || d.rcpts > DROP_RCPTS_MAX)
		abort();
	return 0;
}
