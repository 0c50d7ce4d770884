/* links: store */
/* What is kept of an mbox file, out of hostile octets: what is read is written the same; every mail has one UID, below
 * the next one, that nobody else has, and none is given that was given before. */
#include "lib/store/mbox_uids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* Mails out of the octets: X-UID and content, few of each, so that they meet. */
static void assign(const uint8_t *data, size_t size, struct mbox_state *s)
{
	struct mbox_rec v[40] = { 0 };
	size_t n = 0;
	for (; n < ARRAY_LEN(v) && 2 * n + 1 < size; n++) {
		v[n].disk.uid = data[2 * n] % 32;
		v[n].mail.hash = data[2 * n + 1] % 16;
	}
	uint32_t before = s->uidvalidity, next = s->nextuid;
	struct mbox_base base = { size % 3 ? s->uidvalidity : (uint32_t)size, (uint32_t)(size % 40) };
	mbox_uids_assign(v, n, &base, n ? v[0].mail.hash : 0, 77, s);
	check(s->uidvalidity != 0);
	check(s->uidvalidity != before || s->nextuid >= next);
	for (size_t i = 0; i < n; i++) {
		check(v[i].want.uid > 0 && v[i].want.uid < s->nextuid);
		for (size_t k = 0; k < i; k++)
			check(v[k].want.uid != v[i].want.uid);
		for (size_t k = 0; k < s->n && s->uidvalidity == before; k++)
			check(s->v[k].uid != v[i].want.uid || s->v[k].hash == v[i].mail.hash);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	struct mbox_state s, again;
	if (mbox_state_parse(in, &s) == 1) {
		struct buf out;
		buf_init(&out, MBOX_STATE_MAX);
		check(mbox_state_format(&out, &s) == 0);
		check(mbox_state_parse(buf_sv(&out), &again) == 1);
		check(again.n == s.n && again.uidvalidity == s.uidvalidity && again.nextuid == s.nextuid);
		mbox_state_free(&again);
		buf_free(&out);
	}
	mbox_state_free(&s);
	s = (struct mbox_state){ .uidvalidity = 5, .nextuid = 20, .v = mem_array(19, sizeof(*s.v)) };
	for (; s.n < 19 && s.n < size; s.n++)
		s.v[s.n] = (struct mbox_known){ .hash = data[s.n] % 16, .uid = (uint32_t)s.n + 1 };
	assign(data, size, &s);
	mbox_state_free(&s);
	return 0;
}
