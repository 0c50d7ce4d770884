/* links: mail */
/* Paths of strangers: whatever is accepted survives quoting and unquoting. */
#include "lib/mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void round_trip(struct sv internal)
{
	struct buf ext, back;
	buf_init(&ext, 8192);
	buf_init(&back, 8192);
	check(addr_quote(&ext, internal) == 0);
	check(addr_unquote(&back, buf_sv(&ext)) == 0);
	check(sv_eq(buf_sv(&back), internal));
	check(sv_chr(buf_sv(&ext), '\n') < 0 && sv_chr(buf_sv(&ext), '\r') < 0);
	buf_free(&ext);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	for (unsigned flags = 0; flags < 16; flags++) {
		struct addr_path path;
		struct buf out;
		const char *why;
		buf_init(&out, 4096);
		if (addr_path_parse(in, flags, &out, &path, &why) == 1) {
			check(path.internal.len <= ADDR_MAX + 256);
			check(!path.eightbit || (flags & ADDR_UTF8));
			round_trip(path.internal);
		} else {
			check(why != NULL && out.len == 0);
		}
		buf_free(&out);
	}
	struct buf out;
	struct sv user, ext;
	char delim;
	buf_init(&out, 3 * size + 16);
	check(addr_unquote(&out, in) == 0 && addr_quote(&out, in) == 0);
	buf_free(&out);
	addr_split_ext(in, "+-", true, &user, &ext, &delim);
	check(user.len + ext.len <= size);
	return 0;
}
