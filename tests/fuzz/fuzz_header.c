/* links: mail */
/* Messages into fields and body: nothing is lost, the split is unique, written fields are single. */
#include "lib/mail/dsn.h"
#include "lib/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void put_is_one_field(struct sv value)
{
	struct buf b, back;
	struct header_field f;
	buf_init(&b, 4 * value.len + 100);
	buf_init(&back, 4 * value.len + 100);
	check(header_put(&b, SV("X-Name"), value, 20) == 0);
	struct sv rest = buf_sv(&b);
	check(header_next(&rest, &f) == 1 && rest.len == 0 && sv_eqz(f.name, "X-Name"));
	header_unfold(&back, f.body);
	buf_reset(&b);
	header_clean(&b, value);
	check(sv_eq(sv_trim(buf_sv(&back)), sv_trim(buf_sv(&b))));
	buf_free(&b);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv message = sv_n((const char *)data, size), rest = message, head, body;
	struct header_field f;
	size_t raw = 0;
	while (header_next(&rest, &f) == 1) {
		check(f.raw.p == message.p + raw);
		raw += f.raw.len;
		check(f.name.len > 0 && f.body.p >= f.raw.p && f.body.len < f.raw.len);
		put_is_one_field(f.body);
	}
	bool empty_line = header_split(message, &head, &body);
	check(head.len == raw && sv_eq(body, rest));
	check(head.len + body.len <= size && size - head.len - body.len <= 2);
	check(empty_line == (head.len + body.len < size));
	put_is_one_field(message);
	struct buf b;
	struct dsn_code code;
	struct sv text;
	buf_init(&b, 6 * size + 100);
	if (xtext_decode(&b, message, false) == 1)
		for (size_t i = 0; i < b.len; i++)
			check((unsigned char)b.p[i] >= 0x20 && (unsigned char)b.p[i] < 0x7f);
	buf_reset(&b);
	check(xtext_encode(&b, message) == 0);
	dsn_split(message, DSN(5, 0, 0), &code, &text);
	check(text.len <= size);
	buf_free(&b);
	return 0;
}
