/* links: store */
/* dovecot-uidlist, dovecot-keywords, subscriptions out of hostile octets: what is read can be written and
 * reads back the same; no name leaves its directory. */
#include "lib/store/keywords.h"
#include "lib/store/subscriptions.h"
#include "lib/store/uidlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_lines(struct sv in)
{
	struct uidlist_header h = { .version = 3 };
	struct sv line;
	struct buf out;
	buf_init(&out, 1 << 20);
	if (sv_take_line(&in, &line) && uidlist_header_parse(line, &h) == 1 && h.version == 3 &&
	        h.guid[0]) {
		struct uidlist_header again;
		check(uidlist_header_format(&out, &h) == 0);
		check(uidlist_header_parse(sv_trim(buf_sv(&out)), &again) == 1);
		check(again.uidvalidity == h.uidvalidity && again.nextuid == h.nextuid);
		check(strcmp(again.guid, h.guid) == 0 && strcmp(again.extra, h.extra) == 0);
	}
	while (sv_take_line(&in, &line)) {
		struct uidlist_record r, again;
		if (uidlist_record_parse(line, h.version, &r) != 1)
			continue;
		check(r.uid != 0 && r.base.len > 0 && sv_chr(r.base, '/') < 0 &&
		        r.base.p[0] != '.');
		buf_reset(&out);
		check(uidlist_record_format(&out, r.uid, r.ext, r.base) == 0);
		check(uidlist_record_parse(sv_upto(buf_sv(&out), out.len - 1), 3, &again) == 1);
		check(again.uid == r.uid && sv_eq(again.base, r.base) && again.vsize == r.vsize);
	}
	buf_free(&out);
}

static void subscribed(void *ctx, struct sv name)
{
	(void)ctx;
	check(store_name_is_inbox(name) || store_name_check(name, NULL) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = sv_n((const char *)data, size);
	check_lines(in);
	struct keywords k, again;
	keywords_parse(in, &k);
	struct buf out;
	buf_init(&out, 1 << 20);
	check(keywords_format(&out, &k) == 0);
	keywords_parse(buf_sv(&out), &again);
	check(memcmp(&k, &again, sizeof(k)) == 0);
	subscriptions_parse(in, subscribed, NULL);
	buf_reset(&out);
	if (subscriptions_change(in, SV("Fuzz.A"), true, &out) == 1) {
		struct buf twice;
		buf_init(&twice, 1 << 20);
		check(subscriptions_change(buf_sv(&out), SV("Fuzz.A"), true, &twice) == 0);
		buf_free(&twice);
	}
	buf_free(&out);
	return 0;
}
