/* links: store */
/* Values of the index out of hostile octets: only what was sealed under the same key opens. */
#include "lib/store/index_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size), payload;
	struct index_guid g;
	if (index_guid_parse(sv_upto(in, 32), &g) < 0)
		memset(&g, size ? data[0] : 0, sizeof(g));
	struct index_key keys[] = { index_key_meta(), index_key_box(&g), index_key_tomb(&g),
		index_key_mail(INDEX_SIZE, &g, (uint32_t)size, 7), index_key_cache(&g, 1, 7, 2) };
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		uint64_t a, b;
		if (index_value_open(&keys[i], in, &payload) == 1 && payload.len + 4 != size)
			abort();
		struct buf sealed;
		buf_init(&sealed, size + 4);
		if (index_value_seal(&sealed, &keys[i], in) < 0 ||
		        index_value_open(&keys[i], buf_sv(&sealed), &payload) != 1 ||
		        !sv_eq(payload, in))
			abort();
		if (index_numbers_get(payload, &a, &b) == 1 && size != 16)
			abort();
		buf_free(&sealed);
	}
	return 0;
}
