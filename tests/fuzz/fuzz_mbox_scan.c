/* links: store */
/* Mbox files out of hostile octets: cut into blocks of any size they give the same mails; pieces put together are the
 * file; a mail scanned alone, or rewritten with other fields of ours, shows the same octets. */
#include "lib/store/mbox_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAILS_MAX 64

static void check(bool good)
{
	if (!good)
		abort();
}

struct seen {
	struct mbox_found v[MAILS_MAX];
	struct mbox_meta meta[MAILS_MAX];
	size_t n;
	struct mbox_meta now;
	struct keywords kw;
	struct buf raw;
	struct sv file;
	uint64_t start;
	int rc;
};

static int on_begin(void *ctx)
{
	struct seen *s = ctx;
	s->now = (struct mbox_meta){ 0 };
	return 0;
}

static int on_field(void *ctx, enum mbox_field f, struct sv value, uint64_t at)
{
	struct seen *s = ctx;
	struct mbox_base base = { 0 };
	check(at >= s->start && sv_starts(sv_from(s->file, at - s->start), value));
	mbox_meta_field(&s->now, f, value, &s->kw);
	(void)mbox_base_field(&base, value, &s->kw);
	return 0;
}

static int on_piece(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct seen *s = ctx;
	(void)kind;
	return buf_put_sv(&s->raw, octets);
}

static int on_mail(void *ctx, const struct mbox_found *m)
{
	struct seen *s = ctx;
	if (s->n < MAILS_MAX) {
		s->meta[s->n] = s->now;
		s->v[s->n] = *m;
	}
	s->n++;
	return 0;
}

static void scan(struct seen *s, struct sv in, uint64_t start, size_t step)
{
	struct mbox_scan *p = mem_alloc(sizeof(*p));
	*s = (struct seen){ .file = in, .start = start };
	buf_init(&s->raw, in.len + 100);
	const struct mbox_sink sink = { on_begin, on_field, on_piece, on_mail, s };
	mbox_scan_init(p, &sink, start);
	for (size_t i = 0; i < in.len && s->rc == 0; i += step)
		s->rc = mbox_scan_put(p, sv_sub(in, i, step));
	if (s->rc == 0)
		s->rc = mbox_scan_end(p);
	free(p);
}

static bool same(const struct mbox_found *a, const struct mbox_found *b)
{
	return a->size == b->size && a->vsize == b->vsize && a->hash == b->hash && a->date == b->date;
}

static int collect(void *ctx, struct sv octets)
{
	return buf_put_sv(ctx, octets);
}

static void rewritten(struct sv mail, const struct mbox_found *m)
{
	const struct mbox_meta want = { .uid = 77, .flags = STORE_SEEN | STORE_DRAFT, .keywords = 2, .old = true };
	const struct mbox_base base = { 5, 77 };
	struct keywords kw = { .name = { "a", "b" } };
	struct buf block, out;
	buf_init(&block, 4096);
	buf_init(&out, mail.len + 4096);
	check(mbox_meta_block(&block, &want, &kw, &base, MBOX_F_X_IMAPBASE) == 0);
	struct mbox_rewrite w = { .block = buf_sv(&block), .out = collect, .ctx = &out };
	const struct mbox_sink sink = { .piece = mbox_rewrite_piece, .ctx = &w };
	struct mbox_scan *p = mem_alloc(sizeof(*p));
	mbox_scan_init(p, &sink, 0);
	check(mbox_scan_put(p, mail) == 0 && mbox_scan_end(p) == 0);
	free(p);
	struct seen *s = mem_alloc(sizeof(*s));
	scan(s, buf_sv(&out), 0, SIZE_MAX / 2);
	check(s->rc == 0 && s->n == 1 && same(&s->v[0], m) && s->v[0].plain);
	check(s->meta[0].uid == 77 && s->meta[0].flags == want.flags && s->meta[0].old);
	int b = keywords_find(&s->kw, SV("b"));
	check(b >= 0 && s->meta[0].keywords == 1u << b);
	buf_free(&s->raw);
	free(s);
	buf_free(&block);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct seen *a = mem_alloc(sizeof(*a)), *b = mem_alloc(sizeof(*b));
	scan(a, in, 0, SIZE_MAX / 2);
	scan(b, in, 0, size % 7 + 1);
	check(a->rc == b->rc && a->n == b->n && sv_eq(buf_sv(&a->raw), buf_sv(&b->raw)));
	size_t n = a->n < MAILS_MAX ? a->n : MAILS_MAX;
	for (size_t i = 0; i < n; i++) {
		struct mbox_found *m = &a->v[i];
		check(same(m, &b->v[i]) && m->from == b->v[i].from && m->next == b->v[i].next);
		check(m->from < m->head && m->head <= m->next && m->size <= m->next - m->head);
		check(m->vsize >= m->size);
		check(i == 0 || m->from == a->v[i - 1].next);
	}
	if (a->rc == 0 && n > 0 && n == a->n) {
		check(a->v[n - 1].next == size);
		check(sv_eq(buf_sv(&a->raw), sv_from(in, a->v[0].from)));
		for (size_t i = 0; i < n; i++) {
			struct sv mail = sv_sub(in, a->v[i].from, a->v[i].next - a->v[i].from);
			struct seen *alone = mem_alloc(sizeof(*alone));
			scan(alone, mail, a->v[i].from, 3);
			check(alone->rc == 0 && alone->n == 1 && same(&alone->v[0], &a->v[i]));
			buf_free(&alone->raw);
			free(alone);
			rewritten(mail, &a->v[i]);
		}
	}
	buf_free(&a->raw);
	buf_free(&b->raw);
	free(a);
	free(b);
	return 0;
}
