#include "lib/store/mbox_uids.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/num.h"

#define MAGIC "merpati mbox 1"

void mbox_state_free(struct mbox_state *s)
{
	free(s->v);
	*s = (struct mbox_state){ .uidvalidity = 0 };
}

/* --- as text: a line for the mailbox, one for each mail, a checksum -------------------------------- */

static bool parse_hex64(struct sv s, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = num_hex(s.p[i]);
		if (d < 0)
			return false;
		*out = *out << 4 | (unsigned)d;
	}
	return s.len == 16;
}

static bool parse_head(struct sv line, struct mbox_state *s, uint32_t *n)
{
	if (!sv_starts(line, SV(MAGIC " ")))
		return false;
	line = sv_from(line, sizeof(MAGIC));
	return num_u32(sv_take_word(&line), &s->uidvalidity) == 1 && num_u32(sv_take_word(&line), &s->nextuid) == 1 &&
		sv_copyz(sv_take_word(&line), s->guid, sizeof(s->guid)) == 0 && num_u32(line, n) == 1 &&
		*n <= MBOX_MAILS_MAX + 1 && s->uidvalidity > 0 && s->nextuid > 0;
}

static bool parse_all(struct sv text, struct mbox_state *s)
{
	struct sv line;
	uint32_t n, uid;
	ptrdiff_t last = sv_rchr(sv_upto(text, text.len > 0 ? text.len - 1 : 0), '\n');
	char crc[20];
	if (last < 0)
		return false;
	(void)snprintf(crc, sizeof(crc), "%08x\n", num_crc32c(0, text.p, (size_t)last + 1));
	if (!sv_eqz(sv_from(text, (size_t)last + 1), crc))
		return false;
	text = sv_upto(text, (size_t)last + 1);
	if (!sv_take_line(&text, &line) || !parse_head(line, s, &n))
		return false;
	s->v = mem_array(n ? n : 1, sizeof(*s->v));
	while (s->n < n && sv_take_line(&text, &line)) {
		struct mbox_known *k = &s->v[s->n++];
		if (num_u32(sv_take_word(&line), &uid) < 0 || !parse_hex64(line, &k->hash))
			return false;
		k->uid = uid;
	}
	return s->n == n && sv_empty(text);
}

int mbox_state_parse(struct sv text, struct mbox_state *s)
{
	*s = (struct mbox_state){ .uidvalidity = 0 };
	if (text.len <= MBOX_STATE_MAX && parse_all(text, s))
		return 1;
	mbox_state_free(s);
	return 0;
}

int mbox_state_format(struct buf *out, const struct mbox_state *s)
{
	size_t start = out->len;
	(void)buf_printf(out, MAGIC " %u %u %s %zu\n", s->uidvalidity, s->nextuid, s->guid, s->n);
	for (size_t i = 0; i < s->n; i++)
		(void)buf_printf(out, "%u %016" PRIx64 "\n", s->v[i].uid, s->v[i].hash);
	if (out->overflow)
		return -1;
	return buf_printf(out, "%08x\n", num_crc32c(0, out->p + start, out->len - start));
}

/* --- UIDs -------------------------------------------------- */

/* What was known, in two orders, and which UIDs are given by now. */
struct assignment {
	struct mbox_known *by_uid, *by_hash;
	size_t n;
	uint32_t *taken; /* open addressing; 0: free */
	size_t slots;    /* a power of two */
};

static int order_uid(const void *a, const void *b)
{
	const struct mbox_known *x = a, *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

static int order_hash(const void *a, const void *b)
{
	const struct mbox_known *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return order_uid(a, b);
}

static void begin(struct assignment *as, const struct mbox_state *s, size_t nmails)
{
	as->n = s->n;
	as->by_uid = mem_array(s->n + 1, sizeof(*as->by_uid));
	as->by_hash = mem_array(s->n + 1, sizeof(*as->by_hash));
	for (size_t i = 0; i < s->n; i++)
		as->by_uid[i] = as->by_hash[i] = s->v[i];
	qsort(as->by_uid, s->n, sizeof(*as->by_uid), order_uid);
	qsort(as->by_hash, s->n, sizeof(*as->by_hash), order_hash);
	for (as->slots = 16; as->slots < 2 * nmails; as->slots *= 2)
		;
	as->taken = mem_array(as->slots, sizeof(*as->taken));
}

static void end(struct assignment *as)
{
	free(as->by_uid);
	free(as->by_hash);
	free(as->taken);
}

/* Where UID stands among the taken ones, or would. */
static size_t slot(const struct assignment *as, uint32_t uid)
{
	size_t i = (uid * 2654435761u) & (as->slots - 1);
	while (as->taken[i] && as->taken[i] != uid)
		i = (i + 1) & (as->slots - 1);
	return i;
}

static const struct mbox_known *known(const struct assignment *as, uint32_t uid)
{
	const struct mbox_known want = { .uid = uid };
	return bsearch(&want, as->by_uid, as->n, sizeof(want), order_uid);
}

/* The first of those with this content, or the end. */
static size_t first_of(const struct assignment *as, uint64_t hash)
{
	size_t lo = 0, hi = as->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (as->by_hash[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has_content(const struct assignment *as, uint64_t hash)
{
	size_t i = first_of(as, hash);
	return i < as->n && as->by_hash[i].hash == hash;
}

/* A UID that a mail of this content had and that no mail has now, or 0. */
static uint32_t by_content(const struct assignment *as, uint64_t hash)
{
	for (size_t i = first_of(as, hash); i < as->n && as->by_hash[i].hash == hash; i++) {
		uint32_t uid = as->by_hash[i].uid;
		if (uid && !as->taken[slot(as, uid)])
			return uid;
	}
	return 0;
}

static void assign(struct assignment *as, struct mbox_rec *v, size_t n, bool were_known, uint32_t known_next,
	uint32_t given, struct mbox_state *s)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t uid = v[i].disk.uid;
		const struct mbox_known *k = uid ? known(as, uid) : NULL;
		bool given_since = uid && uid <= given && (!were_known || uid >= known_next);
		bool believed = k ? k->hash == v[i].mail.hash : given_since;
		v[i].want.uid = 0;
		if (!believed || as->taken[slot(as, uid)])
			continue;
		as->taken[slot(as, uid)] = v[i].want.uid = uid;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t uid = v[i].want.uid ? 0 : by_content(as, v[i].mail.hash);
		if (uid)
			as->taken[slot(as, uid)] = v[i].want.uid = uid;
	}
	for (size_t i = 0; i < n; i++)
		if (!v[i].want.uid)
			v[i].want.uid = s->nextuid++;
}

void mbox_uids_assign(struct mbox_rec *v, size_t n, const struct mbox_base *base, uint64_t first,
	uint32_t fresh, struct mbox_state *s)
{
	struct assignment as;
	begin(&as, s, n);
	bool were_known = s->uidvalidity != 0;
	bool usable = base->uidvalidity != 0 && base->last < MBOX_UID_MAX;
	if (were_known && usable && base->uidvalidity != s->uidvalidity) {
		if (has_content(&as, first)) { /* other software began anew */
			were_known = false;
			as.n = 0;
		} else {
			usable = false;
		}
	}
	if (!were_known) {
		s->uidvalidity = usable ? base->uidvalidity : fresh;
		s->nextuid = 1;
	}
	uint32_t known_next = s->nextuid, given = usable ? base->last : 0;
	if (usable && base->last >= s->nextuid)
		s->nextuid = base->last + 1;
	if (s->nextuid > MBOX_UID_MAX) { /* used up: begin anew */
		as.n = 0;
		were_known = false;
		given = 0;
		s->uidvalidity = fresh;
		s->nextuid = known_next = 1;
	}
	assign(&as, v, n, were_known, known_next, given, s);
	end(&as);
}
