#include "lib/store/keywords.h"

#include <stdio.h>

#include "lib/base/num.h"

bool keyword_name_valid(struct sv name)
{
	if (name.len == 0 || name.len > STORE_KEYWORD_NAME_MAX || name.p[0] == '\\')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (c <= 0x20 || c >= 0x7f || sv_chr(SV("(){%*\"\\]"), c) >= 0)
			return false;
	}
	return true;
}

void keywords_parse(struct sv text, struct keywords *out)
{
	*out = (struct keywords){ 0 };
	struct sv line;
	while (sv_take_line(&text, &line)) {
		struct sv number = sv_take_word(&line);
		uint32_t i;
		if (num_u32(number, &i) < 0 || i >= STORE_KEYWORDS_MAX || !keyword_name_valid(line))
			continue;
		if (keywords_find(out, line) < 0 && !out->name[i][0])
			(void)snprintf(out->name[i], sizeof(out->name[i]), "%.*s", SV_ARG(line));
	}
}

int keywords_format(struct buf *out, const struct keywords *k)
{
	for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (k->name[i][0] && buf_printf(out, "%u %s\n", i, k->name[i]) < 0)
			return -1;
	return 0;
}

int keywords_find(const struct keywords *k, struct sv name)
{
	for (int i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (k->name[i][0] && sv_ieqz(name, k->name[i]))
			return i;
	return -1;
}

int keywords_add(struct keywords *k, struct sv name)
{
	int i = keywords_find(k, name);
	if (i >= 0 || !keyword_name_valid(name))
		return i;
	for (i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (!k->name[i][0]) {
			(void)snprintf(k->name[i], sizeof(k->name[i]), "%.*s", SV_ARG(name));
			return i;
		}
	return -1;
}

size_t keywords_count(const struct keywords *k)
{
	size_t n = STORE_KEYWORDS_MAX;
	while (n > 0 && !k->name[n - 1][0])
		n--;
	return n;
}
