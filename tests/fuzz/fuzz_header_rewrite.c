/* links: mail */
/* A header with its addresses replaced: without replacements it is the same, and none makes a new field. */
#include "lib/mail/header.h"
#include "lib/mail/header_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int keep(void *ctx, struct sv *addr, struct arena *a, struct err *e)
{
	(void)ctx, (void)addr, (void)a, (void)e;
	return 0;
}

static int replace(void *ctx, struct sv *addr, struct arena *a, struct err *e)
{
	(void)ctx, (void)a, (void)e;
	*addr = SV("some one@new.example");
	return 1;
}

static size_t fields(struct sv head)
{
	struct header_field f;
	size_t n = 0;
	while (header_next(&head, &f) == 1)
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv head, body, in = sv_n((const char *)data, size);
	struct buf out;
	struct err e = ERR_INIT;
	(void)header_split(in, &head, &body);
	buf_init(&out, 64u << 20);
	if (header_rewrite(head, 1000, keep, NULL, &out, &e) < 0 || !sv_eq(buf_sv(&out), head))
		abort();
	buf_reset(&out);
	if (header_rewrite(head, 1000, replace, NULL, &out, &e) < 0 || fields(buf_sv(&out)) != fields(head))
		abort();
	buf_free(&out);
	return 0;
}
