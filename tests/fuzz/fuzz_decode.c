/* links: mail */
/* Decoders: transfer encodings (octet 0 chooses, octet 1 cuts), encoded words, IDNA, ORCPT. */
#include "lib/base/utf8.h"
#include "lib/mail/dsn.h"
#include "lib/mail/idna.h"
#include "lib/mail/rfc2047.h"
#include "lib/mail/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct sv in = sv_n((const char *)data + 2, size - 2), rest = in;
	enum transfer_encoding kind = (enum transfer_encoding)(data[0] % 6);
	size_t step = 1 + data[1] % 9;
	struct transfer_decoder d;
	struct buf one, many;
	buf_init(&one, 4 * size + 64);
	buf_init(&many, 4 * size + 64);
	check(transfer_decode_all(kind, in, &one) == 0);
	transfer_init(&d, kind);
	for (; rest.len; rest = sv_from(rest, step))
		check(transfer_decode(&d, sv_upto(rest, step), &many) == 0);
	check(transfer_finish(&d, &many) == 0);
	check(sv_eq(buf_sv(&one), buf_sv(&many)));
	check(one.len <= in.len + 3);
	buf_reset(&one);
	check(rfc2047_decode(in, NULL, &one) == 0);
	check(utf8_valid(buf_sv(&one)));
	struct err e = ERR_INIT;
	buf_reset(&one);
	if (idna_to_ascii(&one, in, &e) == 1) {
		check(utf8_is_ascii(buf_sv(&one)));
		buf_reset(&many);
		if (idna_available())
			check(idna_to_unicode(&many, buf_sv(&one), &e) == 1);
	}
	buf_reset(&one);
	if (dsn_orcpt_decode(&one, in) == 1) {
		check(utf8_valid(buf_sv(&one)));
		for (size_t i = 0; i < one.len; i++)
			check((unsigned char)one.p[i] >= 0x20 && one.p[i] != 0x7f);
	} else {
		check(one.len == 0);
	}
	buf_free(&one);
	buf_free(&many);
	return 0;
}
