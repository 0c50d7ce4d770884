/* links: smtp_core */
/*
 * 8-bit parts for a server without 8BITMIME: nothing is left of an encoded body that has 8 bits, what is converted
 * again stays as it is, and what says nothing of 8 bits is not touched.
 */
#include "lib/mail/qp_encode.h"
#include "lib/mail/transfer.h"
#include "smtp/smtpc_convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int put(void *ctx, struct sv piece)
{
	return buf_put_sv(ctx, piece);
}

static bool convert(struct sv message, struct buf *out)
{
	struct arena a;
	struct mime_part *root;
	arena_init(&a, 4 << 20);
	bool ok = smtpc_convert_parse(message, &a, &root) == 0;
	if (ok)
		check(smtpc_convert(message, root, put, out) == 0);
	arena_free(&a);
	return ok;
}

static void quoted_printable(struct sv in, size_t step)
{
	struct qp_encoder q;
	struct buf one, back;
	buf_init(&one, 6 * in.len + 64);
	buf_init(&back, 6 * in.len + 64);
	qp_encode_init(&q);
	for (struct sv rest = in; rest.len > 0; rest = sv_from(rest, step))
		check(qp_encode(&q, sv_upto(rest, step), &one) == 0);
	check(qp_encode_finish(&q, &one) == 0);
	for (size_t i = 0; i < one.len; i++)
		check((unsigned char)one.p[i] < 0x80);
	check(transfer_decode_all(TRANSFER_QP, buf_sv(&one), &back) == 0);
	/* the same but for CRs that were part of line ends */
	struct sv got = buf_sv(&back);
	size_t k = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '\r' && i + 1 < in.len && in.p[i + 1] == '\n')
			continue;
		check(k < got.len && got.p[k++] == in.p[i]);
	}
	check(k == got.len);
	buf_free(&one);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct buf once, twice;
	buf_init(&once, 8 * size + 1024);
	buf_init(&twice, 40 * size + 4096);
	if (convert(in, &once)) {
		check(once.len >= size || sv_ifind(in, SV("content-transfer-encoding")) >= 0);
		if (sv_ifind(in, SV("content-transfer-encoding")) < 0)
			check(sv_eq(buf_sv(&once), in));
		(void)convert(buf_sv(&once), &twice);
	}
	if (size > 0)
		quoted_printable(in, 1 + data[0] % 16);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
