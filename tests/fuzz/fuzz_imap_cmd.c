/* links: wire mail */
/* IMAP: a stream is framed octet by octet and at once (same result), each command is parsed. */
#include "lib/base/utf8.h"
#include "lib/wire/imap_fetch.h"
#include "lib/wire/imap_frame.h"
#include "lib/wire/imap_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static const struct imap_frame_limits limits = {
	.line = 8192, .literal = 65536, .total = 131072, .nonsync = 4096, .append = 65536,
};

static enum imap_frame_result frame(struct sv in, size_t step, struct imap_frame *f)
{
	enum imap_frame_result r = IMAP_FRAME_MORE;
	imap_frame_init(f, &limits);
	for (size_t n = step < in.len ? step : in.len;; n = in.len - n < step ? in.len : n + step) {
		do
			r = imap_frame_scan(f, sv_upto(in, n));
		while (r == IMAP_FRAME_LITERAL);
		if (r != IMAP_FRAME_MORE || n == in.len)
			return r;
	}
}

/* Depth is bounded by the parser. */
static size_t count_keys(const struct imap_search_key *k, unsigned depth)
{
	size_t n = 0;
	check(depth <= IMAP_SEARCH_DEPTH_MAX + 1);
	for (; k; k = k->next)
		n += 1 + count_keys(k->child, depth + 1);
	return n;
}

static int arguments(struct imap_parser *p, const struct imap_cmd *c)
{
	struct imap_seqset set;
	struct imap_fetch fetch;
	struct imap_search search;
	struct imap_store store;
	struct imap_append append;
	struct sv a, b;
	unsigned mask;
	struct buf out;
	switch (c->verb) {
	case IMAP_FETCH:
		if (imap_sp(p) < 0 || imap_seqset_parse(p, &set) < 0 || imap_sp(p) < 0 ||
			imap_fetch_items(p, &fetch) < 0)
			return -1;
		imap_seqset_resolve(&set, 100);
		buf_init(&out, 1 << 20);
		for (size_t i = 0; i < fetch.count; i++)
			check(imap_fetch_name(&out, &fetch.items[i]) == 0);
		buf_free(&out);
		return imap_end(p);
	case IMAP_SEARCH:
		if (imap_search_parse(p, &search) < 0)
			return -1;
		check(count_keys(search.root, 1) <= 2 * IMAP_SEARCH_KEYS_MAX);
		return imap_end(p);
	case IMAP_STORE:
		if (imap_sp(p) < 0 || imap_seqset_parse(p, &set) < 0 || imap_sp(p) < 0)
			return -1;
		return imap_store_args(p, &store);
	case IMAP_APPEND: return imap_append_args(p, &append);
	case IMAP_STATUS:
		if (imap_sp(p) < 0 || imap_mailbox(p, &a) < 0 || imap_sp(p) < 0)
			return -1;
		check(utf8_valid(a));
		return imap_status_items(p, &mask);
	case IMAP_LIST:
		if (imap_sp(p) < 0 || imap_mailbox(p, &a) < 0 || imap_sp(p) < 0)
			return -1;
		return imap_list_mailbox(p, &b);
	case IMAP_LOGIN:
		if (imap_sp(p) < 0 || imap_astring(p, &a) < 0 || imap_sp(p) < 0)
			return -1;
		return imap_astring(p, &b);
	default: return imap_end(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	while (in.len) {
		struct imap_frame f, g;
		enum imap_frame_result r = frame(in, in.len, &f);
		if (in.len < 2000) {
			check(frame(in, 1, &g) == r);
			check(f.end == g.end && f.literal == g.literal && f.append == g.append);
		}
		if (r != IMAP_FRAME_DONE)
			break;
		check(f.end > 0 && f.end <= in.len);
		for (int utf8 = 0; utf8 < 2; utf8++) {
			struct arena a;
			struct imap_parser p;
			struct imap_cmd c;
			arena_init(&a, 1 << 20);
			imap_parser_init(&p, sv_upto(in, f.end), &a, utf8);
			if (imap_cmd_parse(&p, &c) < 0 || arguments(&p, &c) < 0)
				check(p.why != NULL);
			arena_free(&a);
		}
		in = sv_from(in, f.end);
	}
	return 0;
}
