#include "lib/store/spool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/base/num.h"

int store_note_format(struct buf *out, const struct store_note *n)
{
	return buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", n->length,
	        n->total, n->key[0], n->key[1], n->from_len, n->from_hash);
}

bool store_note_parse(struct sv text, struct store_note *out)
{
	struct sv line;
	struct store_note n;
	uint64_t *const fields[] = { &n.length, &n.total, &n.key[0], &n.key[1], &n.from_len, &n.from_hash };
	if (!sv_ends(text, SV("\n")) || !sv_take_line(&text, &line) || !sv_empty(text))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (num_u64(sv_take_word(&line), fields[i]) < 0)
			return false;
	if (!sv_empty(line))
		return false;
	*out = n;
	return true;
}

uint64_t store_note_hash(struct sv from)
{
	const struct hash_seed fixed = { 5, 6 };
	return hash_sip(fixed, from.p, from.len);
}

const struct store_spool *spool_needed(const struct store_spool *s, int dir, const char *path)
{
	if (!s || strcmp(s->dir, path) != 0)
		return NULL;
	return faccessat(dir, ".", W_OK, AT_EACCESS) < 0 ? s : NULL;
}
