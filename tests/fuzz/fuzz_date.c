/* links: mail */
/* Dates: what parses can be formatted and parses to the same time. */
#include "lib/mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv s = sv_n((const char *)data, size);
	struct buf b;
	int64_t t, back, day;
	int tz, tz_back;
	buf_init(&b, 200);
	if (date_parse(s, &t, &tz) == 1) {
		check(date_format(&b, t, tz) == 0);
		/* midnight of 31 Dec 9999 may lie in the year 10000 of another zone */
		check(date_parse(buf_sv(&b), &back, &tz_back) != 1 || (back == t && tz_back == tz));
	}
	buf_reset(&b);
	if (date_imap_parse(s, &t, &tz) == 1) {
		check(date_imap_format(&b, t, tz) == 0);
		check(date_imap_parse(buf_sv(&b), &back, &tz_back) == -1 || (back == t && tz_back == tz));
	}
	if (date_imap_day_parse(s, &day) == 1)
		check(date_day_of(day * 86400, 0) == day);
	if (size >= 8) {
		memcpy(&t, data, 8);
		date_format(&b, t, (int)(data[7] % 200) - 100);
		date_day_of(t, 60);
	}
	buf_free(&b);
	return 0;
}
