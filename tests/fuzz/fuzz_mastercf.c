/* links: config base */
/* Any master.cf: parsing ends; what was accepted can be written and read again with one meaning. */
#include "lib/config/mastercf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct service *a)
{
	struct mastercf again;
	struct buf text;
	buf_init(&text, 1 << 20);
	if (mastercf_format(a, false, &text) < 0)
		abort();
	if (mastercf_parse_loose(buf_sv(&text), "again", &again, NULL) < 0 || again.count != 1)
		abort();
	const struct service *b = &again.services[0];
	if (a->type != b->type || a->noptions != b->noptions || a->raw_argc != b->raw_argc ||
	    strcmp(a->name, b->name) != 0)
		abort();
	for (size_t i = 0; i < a->raw_argc; i++)
		if (strcmp(a->raw_argv[i], b->raw_argv[i]) != 0)
			abort();
	mastercf_free(&again);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mastercf m;
	struct err e = { .cls = ERR_NONE };
	if (size > 65536)
		return 0;
	if (mastercf_parse_loose(sv_n((const char *)data, size), "master.cf", &m, &e) < 0) {
		if (e.text[0] == '\0')
			abort();
		return 0;
	}
	for (size_t i = 0; i < m.count; i++)
		same(&m.services[i]);
	mastercf_free(&m);
	return 0;
}
