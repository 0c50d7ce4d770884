/* Writing side of lib/mail/addr_list.h. */
#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"

/* The comments inside an addr-spec that is being replaced: "a (why) @b". */
static int put_comments(struct buf *out, struct sv spec)
{
	int rc = 0;
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0, start = 0; i < spec.len; i++) {
		char c = spec.p[i];
		if (c == '\\') {
			i++;
		} else if (c == '"' && !depth) {
			quoted = !quoted;
		} else if (c == '(' && !quoted) {
			if (depth++ == 0)
				start = i;
		} else if (c == ')' && depth && --depth == 0) {
			rc |= buf_putc(out, ' ');
			rc |= buf_put_sv(out, sv_sub(spec, start, i + 1 - start));
		}
	}
	return rc;
}

int addr_list_write(struct buf *out, struct sv body, const struct addr_list *l,
	const struct sv *repl)
{
	int rc = 0;
	size_t done = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct addr_item *item = &l->items[i];
		if (item->kind != ADDR_ITEM_MAILBOX)
			continue;
		size_t start = (size_t)(item->spec.p - body.p);
		struct sv gap = sv_sub(body, done, start - done);
		if (item->missing_comma) {
			/* for "<a> name <b>" the comma belongs before the name */
			struct sv kept = sv_trim_right(sv_upto(gap, item->begin - done));
			rc |= buf_put_sv(out, kept);
			rc |= buf_putc(out, ',');
			gap = sv_from(gap, kept.len);
		}
		rc |= buf_put_sv(out, gap);
		bool replaced = repl && repl[i].p;
		rc |= buf_put_sv(out, replaced ? repl[i] : item->spec);
		if (replaced)
			rc |= put_comments(out, item->spec);
		done = start + item->spec.len;
	}
	return rc | buf_put_sv(out, sv_from(body, done));
}

/* A phrase with quotes and backslashes undone, comments dropped, runs of blanks as one. */
static int put_phrase(struct buf *out, struct sv s)
{
	int rc = 0;
	unsigned depth = 0;
	bool quoted = false, blank = false, any = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c == '\\' && i + 1 < s.len) {
			c = s.p[++i];
		} else if (c == '"' && !depth) {
			quoted = !quoted;
			continue;
		} else if (c == '(' && !quoted) {
			depth++;
			continue;
		} else if (c == ')' && depth) {
			depth--;
			continue;
		}
		if (depth)
			continue;
		if (ascii_is_blank(c)) {
			blank = true;
			continue;
		}
		if (blank && any)
			rc |= buf_putc(out, ' ');
		rc |= buf_putc(out, c);
		blank = false;
		any = true;
	}
	return rc;
}

int addr_item_name(struct buf *out, const struct addr_item *item)
{
	if (item->name.len)
		return put_phrase(out, item->name);
	int rc = 0;
	struct sv s = sv_trim(item->comment);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			rc |= buf_putc(out, s.p[i]);
	}
	return rc;
}

int addr_phrase(struct buf *out, struct sv name)
{
	bool atoms = name.len > 0;
	for (size_t i = 0; i < name.len && atoms; i++)
		atoms = name.p[i] == ' ' || (name.p[i] != '.' && !addr_local_needs_quote(sv_sub(name, i, 1)));
	if (atoms)
		return buf_put_sv(out, name);
	int rc = buf_putc(out, '"');
	for (size_t i = 0; i < name.len; i++) {
		char c = (unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f ? ' ' : name.p[i];
		if (c == '"' || c == '\\')
			rc |= buf_putc(out, '\\');
		rc |= buf_putc(out, c);
	}
	return rc | buf_putc(out, '"');
}
