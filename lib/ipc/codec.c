#include "lib/ipc/codec.h"

#include "lib/base/num.h"

#define HEAD       8    /* u16 tag, u8 kind, u8 zero, u32 length */
#define FIELDS_MAX 64   /* of one message; tags seen are bits of a word */
#define DUMP_MAX   200  /* octets of a string that a dump shows */

static const void *member(const void *m, const struct msg_field *f)
{
	return (const char *)m + f->offset;
}

/* --- encode ------------------------------------------------------------------------------------- */

static void put_head(struct buf *b, const struct msg_field *f, size_t len)
{
	unsigned char h[HEAD] = { (unsigned char)(f->tag & 0xff), (unsigned char)(f->tag >> 8), f->kind, 0 };
	num_put_le32(h + 4, (uint32_t)len);
	buf_put(b, h, sizeof(h));
}

static void put_u32(struct buf *b, uint32_t v)
{
	unsigned char x[4];
	num_put_le32(x, v);
	buf_put(b, x, sizeof(x));
}

static void put_u64(struct buf *b, uint64_t v)
{
	unsigned char x[8];
	num_put_le64(x, v);
	buf_put(b, x, sizeof(x));
}

static void put_strs(struct buf *b, const struct msg_field *f, const struct sv_list *l)
{
	size_t total = 0;
	for (size_t i = 0; i < l->n; i++)
		total += 4 + l->v[i].len;
	if (l->n == 0)
		return;
	put_head(b, f, total);
	for (size_t i = 0; i < l->n; i++) {
		put_u32(b, (uint32_t)l->v[i].len);
		buf_put_sv(b, l->v[i]);
	}
}

/* Zero and empty are not sent: that is what an absent field means. */
static void put_field(struct buf *b, const struct msg_field *f, const void *m)
{
	const void *p = member(m, f);
	switch (f->kind) {
	case MSG_KIND_U32: {
		uint32_t v = *(const uint32_t *)p;
		if (v != 0) {
			put_head(b, f, 4);
			put_u32(b, v);
		}
		break;
	}
	case MSG_KIND_U64:
	case MSG_KIND_I64: {
		uint64_t v = *(const uint64_t *)p;
		if (v != 0) {
			put_head(b, f, 8);
			put_u64(b, v);
		}
		break;
	}
	case MSG_KIND_BOOL:
		if (*(const bool *)p) {
			put_head(b, f, 1);
			buf_putc(b, 1);
		}
		break;
	case MSG_KIND_STR: {
		const struct sv *s = p;
		if (s->len > 0) {
			put_head(b, f, s->len);
			buf_put_sv(b, *s);
		}
		break;
	}
	case MSG_KIND_STRS:
		put_strs(b, f, p);
		break;
	case MSG_KIND_U32S: {
		const struct u32_list *l = p;
		if (l->n > 0)
			put_head(b, f, l->n * 4);
		for (size_t i = 0; i < l->n; i++)
			put_u32(b, l->v[i]);
		break;
	}
	case MSG_KIND_U64S: {
		const struct u64_list *l = p;
		if (l->n > 0)
			put_head(b, f, l->n * 8);
		for (size_t i = 0; i < l->n; i++)
			put_u64(b, l->v[i]);
		break;
	}
	default:
		break;
	}
}

int codec_encode(const struct msg_desc *d, const void *m, struct buf *body)
{
	size_t n;
	const struct msg_field *f = d->fields(&n);
	size_t start = body->len;
	for (size_t i = 0; i < n; i++)
		put_field(body, &f[i], m);
	return body->overflow || body->len - start > IPC_BODY_MAX ? -1 : 0;
}

/* --- decode ------------------------------------------------------------------------------------- */

static int bad(struct err *e, const struct msg_desc *d, const char *what, const char *field)
{
	return err_set(e, ERR_TEMP, "message %s %s: %s%s%s", d->protocol_name, d->name, what,
		field ? " in field " : "", field ? field : "");
}

static int get_strs(struct sv v, struct arena *a, struct sv_list *out)
{
	size_t n = 0;
	for (struct sv at = v; at.len > 0; n++) {
		if (at.len < 4)
			return -1;
		uint32_t len = num_get_le32(at.p);
		if (len > at.len - 4)
			return -1;
		at = sv_from(at, 4 + (size_t)len);
	}
	out->v = arena_array(a, n ? n : 1, sizeof(*out->v));
	if (!out->v)
		return -1;
	out->n = n;
	for (size_t i = 0; i < n; i++) {
		uint32_t len = num_get_le32(v.p);
		out->v[i] = sv_n(v.p + 4, len);
		v = sv_from(v, 4 + (size_t)len);
	}
	return 0;
}

static int get_u32s(struct sv v, struct arena *a, struct u32_list *out)
{
	if (v.len % 4)
		return -1;
	out->v = arena_array(a, v.len / 4 + 1, sizeof(*out->v));
	if (!out->v)
		return -1;
	out->n = v.len / 4;
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = num_get_le32(v.p + i * 4);
	return 0;
}

static int get_u64s(struct sv v, struct arena *a, struct u64_list *out)
{
	if (v.len % 8)
		return -1;
	out->v = arena_array(a, v.len / 8 + 1, sizeof(*out->v));
	if (!out->v)
		return -1;
	out->n = v.len / 8;
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = num_get_le64(v.p + i * 8);
	return 0;
}

static int get_field(const struct msg_field *f, struct sv v, struct arena *a, void *out)
{
	void *p = (char *)out + f->offset;
	switch (f->kind) {
	case MSG_KIND_U32:
		if (v.len != 4)
			return -1;
		*(uint32_t *)p = num_get_le32(v.p);
		return 0;
	case MSG_KIND_U64:
	case MSG_KIND_I64:
		if (v.len != 8)
			return -1;
		*(uint64_t *)p = num_get_le64(v.p);
		return 0;
	case MSG_KIND_BOOL:
		if (v.len != 1 || (unsigned char)v.p[0] > 1)
			return -1;
		*(bool *)p = v.p[0] != 0;
		return 0;
	case MSG_KIND_STR:
		*(struct sv *)p = v;
		return 0;
	case MSG_KIND_STRS:
		return get_strs(v, a, p);
	case MSG_KIND_U32S:
		return get_u32s(v, a, p);
	case MSG_KIND_U64S:
		return get_u64s(v, a, p);
	default:
		return -1;
	}
}

static void clear(const struct msg_field *f, size_t n, void *out)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].kind == MSG_KIND_STR)
			*(struct sv *)(void *)((char *)out + f[i].offset) = SV_NONE;
}

int codec_decode(const struct msg_desc *d, struct sv body, struct arena *a, void *out, struct err *e)
{
	size_t n;
	const struct msg_field *f = d->fields(&n);
	uint64_t seen = 0;
	memset(out, 0, d->size);
	clear(f, n, out);
	while (body.len > 0) {
		if (body.len < HEAD)
			return bad(e, d, "cut off", NULL);
		const unsigned char *h = (const unsigned char *)body.p;
		unsigned tag = h[0] | (unsigned)h[1] << 8;
		uint32_t len = num_get_le32(h + 4);
		if (h[3] != 0 || len > body.len - HEAD)
			return bad(e, d, "wrong length", NULL);
		struct sv value = sv_sub(body, HEAD, len);
		body = sv_from(body, HEAD + (size_t)len);
		size_t i = 0;
		while (i < n && f[i].tag != tag)
			i++;
		if (i == n)
			continue;
		if (f[i].kind != h[2] || (seen & 1ull << i))
			return bad(e, d, f[i].kind != h[2] ? "wrong kind" : "given twice", f[i].name);
		seen |= 1ull << i;
		if (get_field(&f[i], value, a, out) < 0)
			return bad(e, d, a && a->exhausted ? "too large" : "wrong value", f[i].name);
	}
	return 1;
}

/* --- dump --------------------------------------------------------------------------------------- */

static void dump_str(struct buf *out, struct sv s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.len && i < DUMP_MAX; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_puts(out, s.len > DUMP_MAX ? "\"..." : "\"");
}

static void dump_field(const struct msg_field *f, const void *m, struct buf *out)
{
	const void *p = member(m, f);
	const struct sv_list *strs = p;
	const struct u32_list *u32s = p;
	const struct u64_list *u64s = p;
	switch (f->kind) {
	case MSG_KIND_U32:
		buf_printf(out, "%u", *(const uint32_t *)p);
		break;
	case MSG_KIND_U64:
		buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)p);
		break;
	case MSG_KIND_I64:
		buf_printf(out, "%lld", (long long)*(const int64_t *)p);
		break;
	case MSG_KIND_BOOL:
		buf_puts(out, *(const bool *)p ? "true" : "false");
		break;
	case MSG_KIND_STR:
		dump_str(out, *(const struct sv *)p);
		break;
	case MSG_KIND_STRS:
		for (size_t i = 0; i < strs->n; i++) {
			buf_putc(out, i == 0 ? '[' : ',');
			dump_str(out, strs->v[i]);
		}
		buf_puts(out, strs->n ? "]" : "[]");
		break;
	case MSG_KIND_U32S:
		for (size_t i = 0; i < u32s->n; i++)
			buf_printf(out, "%c%u", i == 0 ? '[' : ',', u32s->v[i]);
		buf_puts(out, u32s->n ? "]" : "[]");
		break;
	case MSG_KIND_U64S:
		for (size_t i = 0; i < u64s->n; i++)
			buf_printf(out, "%c%llu", i == 0 ? '[' : ',', (unsigned long long)u64s->v[i]);
		buf_puts(out, u64s->n ? "]" : "[]");
		break;
	default:
		break;
	}
}

void codec_dump(const struct msg_desc *d, const void *m, struct buf *out)
{
	size_t n;
	const struct msg_field *f = d->fields(&n);
	buf_printf(out, "%s.%s", d->protocol_name, d->name);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, " %s=", f[i].name);
		dump_field(&f[i], m, out);
	}
}
