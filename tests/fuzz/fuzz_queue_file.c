/* links: queue */
/* A queue file's header, facts and recipients out of hostile octets: views stay inside, sums stay right. */
#include "lib/queue/queue_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void inside(struct sv v, struct sv all)
{
	check(v.len == 0 || (v.p >= all.p && v.p + v.len <= all.p + all.len));
}

static void recipients(struct sv in)
{
	struct queue_rcpt r;
	size_t used = 0;
	while (queue_rcpt_decode(in, &r, &used) == 1) {
		check(used > 0 && used <= in.len);
		check(r.address.len > 0);
		inside(r.address, in);
		inside(r.original, in);
		inside(r.orcpt, in);
		struct buf b;
		buf_init(&b, QUEUE_RCPT_MAX);
		check(queue_rcpt_encode(&r, &b) == 0);
		check(b.len <= used); /* equal, or an original that repeated the address */
		buf_free(&b);
		in = sv_from(in, used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct queue_facts f;
	struct queue_header h;
	if (queue_facts_decode(in, &f) == 1) {
#define X(field, type) inside(f.field, in);
		QUEUE_FACTS(X)
#undef X
	}
	recipients(in);
	if (size < QUEUE_HEADER_SIZE)
		return 0;
	if (queue_header_decode(data, size, &h) == QUEUE_FILE_OK) {
		check(h.rcpt_offset <= size && h.envelope_offset + h.envelope_size == size);
		check(queue_end_check(sv_from(in, size - QUEUE_END_SIZE), &h) != 0);
		recipients(sv_from(in, (size_t)h.rcpt_offset));
	}
	check(queue_facts_decode(sv_from(in, QUEUE_HEADER_SIZE), &f) != 0);
	return 0;
}
