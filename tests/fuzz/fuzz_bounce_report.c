/* links: bounce_core */
/* A report out of hostile strings: it always has its three parts, and no field that we did not
 * write. */
#include <stdlib.h>

#include "bounce/bounce_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct sv part[12];
	if (size < 1 || sv_find(in, SV("=_fuzz_boundary")) >= 0)
		return 0;
	unsigned flags = data[0];
	in = sv_from(in, 1);
	/* strings are separated by 0xff */
	for (size_t i = 0; i < 12; i++)
		part[i] = sv_take_until(&in, (char)0xff);
	const struct report_rcpt rcpts[2] = {
		{ part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7], 1 },
		{ part[7], part[6], part[5], part[4], part[3], part[2], part[1], part[0], 0 },
	};
	enum report_kind kind = (enum report_kind)((flags >> 4) % (REPORT_POSTMASTER_DELAY + 1));
	const struct report r = { .kind = kind,
		.template = bouncecf_builtin(report_template(kind)),
		.to = part[8],
		.sender = part[9],
		.queue_id = part[10],
		.envid = part[11],
		.myhostname = part[0],
		.myorigin = part[1],
		.mail_name = SV("merpati"),
		.boundary = SV("=_fuzz_boundary"),
		.now_s = 1,
		.arrival_s = 2,
		.smtputf8 = (flags & 4) != 0,
		.header_only = (flags & 8) != 0,
		.threaded = true,
		.rcpts = rcpts,
		.nrcpts = 2,
		.original = part[9].len ? part[9] : SV("Subject: x\n\nbody\n") };
	struct buf out;
	buf_init(&out, 4 << 20);
	if (report_make(&r, &out) < 0)
		abort();
	/* three parts and the end */
	size_t n = 0;
	struct sv text = buf_sv(&out), line;
	while (sv_take_line(&text, &line))
		n += sv_starts(line, SV("--=_fuzz_boundary"));
	if (n != 4)
		abort();
	buf_free(&out);
	return 0;
}
