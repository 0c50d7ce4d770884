/* links: mail */
/* Address fields: kept octet by octet when nothing is replaced; what was found can be found again. */
#include "lib/mail/addr.h"
#include "lib/mail/addr_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool within(struct sv part, struct sv whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void check_items(struct sv field, const struct addr_list *l, struct buf *b)
{
	const char *last = field.p;
	for (size_t i = 0; i < l->count; i++) {
		const struct addr_item *item = &l->items[i];
		check(within(item->name, field) && within(item->comment, field));
		check(within(item->spec, field) && within(item->route, field));
		check(item->spec.p >= last);
		last = item->spec.p + item->spec.len;
		addr_item_name(b, item);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv field = sv_n((const char *)data, size);
	struct arena a;
	struct addr_list l, again;
	struct buf b;
	arena_init(&a, (size_t)64 << 20);
	buf_init(&b, 1 << 24);
	check(addr_list_parse(field, 1000, &a, &l) == 0);
	check(size > 1000 || !l.truncated);
	check_items(field, &l, &b);
	buf_reset(&b);
	check(addr_list_write(&b, field, &l, NULL) == 0);
	bool commas = false;
	for (size_t i = 0; i < l.count; i++)
		commas |= l.items[i].missing_comma;
	check(commas ? b.len > size : sv_eq(buf_sv(&b), field));
	if (!l.truncated && !l.bad) {
		/* the same addresses once their missing commas are there */
		check(addr_list_parse(buf_sv(&b), 100000, &a, &again) == 0);
		check(again.count == l.count);
		for (size_t i = 0; i < l.count; i++)
			check(sv_eq(again.items[i].internal, l.items[i].internal));
	}
	buf_reset(&b);
	addr_phrase(&b, field);
	check(sv_chr(buf_sv(&b), '\n') < 0);
	buf_free(&b);
	arena_free(&a);
	return 0;
}
