/* links: ipc */
/*
 * Any octets through every decoder. What decodes must encode again to a body that decodes to the same dump:
 * two octets choose the message, the rest is the body.
 */
#include "lib/ipc/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct msg_desc *d, struct sv octets)
{
	struct arena a;
	struct buf body, first, second;
	void *m = mem_alloc(d->size ? d->size : 1), *again = mem_alloc(d->size ? d->size : 1);
	struct err e = ERR_INIT;
	arena_init(&a, 8 << 20);
	buf_init(&body, 2 << 20);
	buf_init(&first, 16 << 20);
	buf_init(&second, 16 << 20);
	if (codec_decode(d, octets, &a, m, &e) == 1) {
		codec_dump(d, m, &first);
		if (codec_encode(d, m, &body) < 0 || codec_decode(d, buf_sv(&body), &a, again, &e) != 1)
			abort();
		codec_dump(d, again, &second);
		if (!sv_eq(buf_sv(&first), buf_sv(&second)))
			abort();
	} else if (e.cls != ERR_TEMP) {
		abort();
	}
	buf_free(&second);
	buf_free(&first);
	buf_free(&body);
	arena_free(&a);
	free(again);
	free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct msg_desc *d = msg_table(&n);
	if (size < 2)
		return 0;
	size_t which = (data[0] | (size_t)data[1] << 8) % n;
	check(&d[which], sv_n((const char *)data + 2, size - 2));
	return 0;
}
