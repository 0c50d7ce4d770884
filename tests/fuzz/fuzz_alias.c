/* links: mail */
/* Sources of aliases, postmap tables, .forward and :include: files. */
#include "lib/mail/alias_grammar.h"
#include "lib/mail/text_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void items(struct sv text, enum alias_source source)
{
	struct arena a;
	struct alias_list l;
	struct err e = ERR_INIT;
	arena_init(&a, (size_t)16 << 20);
	int rc = alias_parse(text, source, "file", 1, 1000, &a, &l, &e);
	check(rc == 1 || (rc == -1 && strncmp(e.text, "file, line ", 11) == 0));
	for (size_t i = 0; rc == 1 && i < l.count; i++) {
		struct sv t = l.items[i].text;
		check(t.len > 0 && t.p[t.len] == '\0' && sv_chr(t, '\0') < 0);
		check(l.items[i].kind != ALIAS_FILE || t.p[0] == '/');
		check(l.items[i].kind != ALIAS_INCLUDE || t.p[0] == '/');
	}
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_n((const char *)data, size);
	for (int kind = TEXT_POSTMAP; kind <= TEXT_ALIASES; kind++) {
		struct text_lines t;
		struct text_entry entry;
		struct err e = ERR_INIT;
		unsigned last = 0;
		int rc;
		text_lines_init(&t, text, "file");
		while ((rc = text_entry_next(&t, (enum text_entry_kind)kind, &entry, &e)) != 0) {
			if (rc < 0)
				continue;
			check(entry.line > last);
			last = entry.line;
			check(entry.value.len > 0 && sv_chr(entry.value, '\n') < 0);
			items(entry.value, ALIAS_RHS);
			struct buf b;
			buf_init(&b, 3 * entry.value.len + 10);
			check(alias_store_form(&b, entry.value) == 0);
			buf_free(&b);
		}
		text_lines_free(&t);
	}
	items(text, ALIAS_LINES);
	items(text, ALIAS_RHS);
	return 0;
}
