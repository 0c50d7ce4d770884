/* links: wire */
/* Frames of maillock in both directions: what is taken is what would have been sent. */
#include <string.h>

#include "lib/wire/maillock_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maillock_request r;
	struct maillock_answer a;
	unsigned char again[MAILLOCK_REQUEST_LEN];
	if (size >= MAILLOCK_REQUEST_LEN && maillock_request_get(data, &r) == 1) {
		check(maillock_name_ok(sv_z(r.name)));
		check(maillock_request_put(&r, again) == 0 && memcmp(again, data, MAILLOCK_REQUEST_LEN) == 0);
	}
	if (size >= MAILLOCK_ANSWER_LEN && maillock_answer_get(data, &a) == 1) {
		maillock_answer_put(&a, again);
		check(memcmp(again, data, MAILLOCK_ANSWER_LEN) == 0);
	}
	return 0;
}
