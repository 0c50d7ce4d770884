#include "lib/mail/header_rewrite.h"

#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"
#include "lib/mail/header.h"

#define FIELD_MEMORY ((size_t)32 * 1024 * 1024) /* of one field while it is rewritten */
#define FIELD_MAX    (4u * 1024 * 1024)         /* octets of a field that was rewritten */

struct rewriting {
	size_t max_tokens;
	header_rewrite_fn fn;
	void *ctx;
	struct arena arena;
	struct buf quoted;
	struct err *e;
};

/* The external form of what FN makes of each mailbox. 1 some are new, 0 none, -1. */
static int replacements(struct rewriting *w, const struct addr_list *l, struct sv *repl)
{
	int changed = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct sv addr = l->items[i].internal;
		if (l->items[i].kind != ADDR_ITEM_MAILBOX || addr.len == 0)
			continue;
		int rc = w->fn(w->ctx, &addr, &w->arena, w->e);
		if (rc < 0)
			return -1;
		buf_reset(&w->quoted);
		if (rc == 0 || sv_eq(addr, l->items[i].internal) || addr_quote(&w->quoted, addr) < 0)
			continue;
		repl[i] = arena_sv(&w->arena, buf_sv(&w->quoted));
		changed |= repl[i].p != NULL;
	}
	return changed;
}

/* 1 F was appended in its new form, 0 it stays, -1. */
static int rewrite_field(struct rewriting *w, const struct header_field *f, struct buf *out)
{
	struct addr_list l;
	arena_reset(&w->arena);
	if (addr_list_parse(f->body, w->max_tokens, &w->arena, &l) < 0 || l.count == 0)
		return 0;
	struct sv *repl = arena_array(&w->arena, l.count, sizeof(*repl));
	int rc = repl ? replacements(w, &l, repl) : 0;
	if (rc <= 0)
		return rc;
	struct buf field;
	buf_init(&field, FIELD_MAX);
	struct sv before = sv_upto(f->raw, (size_t)(f->body.p - f->raw.p));
	struct sv end = sv_from(f->raw, before.len + f->body.len); /* its line end */
	if (buf_put_sv(&field, before) < 0 || addr_list_write(&field, f->body, &l, repl) < 0 ||
		buf_put_sv(&field, end) < 0) {
		buf_free(&field);
		return 0;
	}
	rc = buf_put_sv(out, buf_sv(&field));
	buf_free(&field);
	return rc < 0 ? err_set(w->e, ERR_TEMP, "no room for the header of this mail") : 1;
}

int header_rewrite(struct sv head, size_t max_tokens, header_rewrite_fn fn, void *ctx, struct buf *out,
	struct err *e)
{
	struct rewriting w = { .max_tokens = max_tokens, .fn = fn, .ctx = ctx, .e = e };
	struct header_field f;
	struct sv rest = head;
	int rc = 0;
	arena_init(&w.arena, FIELD_MEMORY);
	buf_init(&w.quoted, 4 * ADDR_MAX);
	while (rc >= 0 && header_next(&rest, &f) == 1) {
		rc = header_classes(f.id) & (HDRC_SENDER | HDRC_RECIP) ? rewrite_field(&w, &f, out) : 0;
		if (rc == 0 && buf_put_sv(out, f.raw) < 0)
			rc = err_set(e, ERR_TEMP, "no room for the header of this mail");
	}
	arena_free(&w.arena);
	buf_free(&w.quoted);
	return rc < 0 ? -1 : 0;
}
