#include "smtp/smtpc_convert.h"

#include "lib/mail/header.h"
#include "lib/mail/qp_encode.h"

#define PIECE (16 * 1024)

struct converting {
	struct sv message;
	size_t at; /* so far the result is there */
	smtpc_convert_fn put;
	void *ctx;
};

static int put_up_to(struct converting *x, size_t end)
{
	if (end <= x->at)
		return 0;
	int rc = x->put(x->ctx, sv_sub(x->message, x->at, end - x->at));
	x->at = end;
	return rc;
}

static bool says_8bit(const struct mime_part *p)
{
	return !sv_empty(p->encoding) && (p->transfer == TRANSFER_8BIT || p->transfer == TRANSFER_BINARY);
}

static bool is_message(const struct mime_part *p)
{
	return sv_ieqz(p->type.type, "message");
}

/* The head with another Content-Transfer-Encoding. */
static int put_head(struct converting *x, const struct mime_part *p, bool encoded)
{
	struct sv value = p->encoding;
	size_t at = (size_t)(value.p - x->message.p);
	/* a field that was unfolded lies elsewhere: its line is found by name */
	if (value.p < x->message.p + p->head.start || at + value.len > p->head.end)
		return put_up_to(x, p->head.end);
	int rc = put_up_to(x, at);
	if (rc == 0)
		rc = x->put(x->ctx, encoded ? SV("quoted-printable") : SV("7bit"));
	x->at = at + value.len;
	return rc != 0 ? rc : put_up_to(x, p->head.end);
}

static int put_body(struct converting *x, const struct mime_part *p)
{
	struct qp_encoder q;
	struct buf out;
	int rc = put_up_to(x, p->body.start);
	qp_encode_init(&q);
	buf_init(&out, 6 * PIECE);
	for (size_t n; rc == 0 && x->at < p->body.end; x->at += n) {
		n = p->body.end - x->at < PIECE ? p->body.end - x->at : PIECE;
		buf_reset(&out);
		rc = qp_encode(&q, sv_sub(x->message, x->at, n), &out);
		if (rc == 0)
			rc = x->put(x->ctx, buf_sv(&out));
	}
	buf_reset(&out);
	if (rc == 0)
		rc = qp_encode_finish(&q, &out);
	if (rc == 0 && out.len > 0)
		rc = x->put(x->ctx, buf_sv(&out));
	buf_free(&out);
	return rc;
}

int smtpc_convert_parse(struct sv message, struct arena *a, struct mime_part **root)
{
	const struct mime_limits limits = MIME_LIMITS_DEFAULT;
	return mime_parse(message, &limits, a, root);
}

int smtpc_convert(struct sv message, const struct mime_part *root, smtpc_convert_fn put, void *ctx)
{
	struct converting x = { .message = message, .put = put, .ctx = ctx };
	int rc = 0;
	for (const struct mime_part *p = root; p && rc == 0; p = mime_next(p)) {
		bool leaf = p->kind == MIME_LEAF && !is_message(p);
		if (!says_8bit(p))
			continue;
		rc = put_head(&x, p, leaf);
		if (rc == 0 && leaf)
			rc = put_body(&x, p);
	}
	return rc != 0 ? rc : put_up_to(&x, message.len);
}
