/* Unit test of lib/store/mbox_from.c, mbox_field.c, mbox_scan.c: From_ lines, fields of ours, what is shown. */
#include "tests/support/t.h"

#include "lib/store/mbox_from.h"
#include "lib/store/mbox_scan.h"

/* Sun Nov 22 08:05:00 2026 UTC */
#define T 1795334700

static const struct {
	const char *line;
	int64_t t; /* 0: a line of text */
} from_lines[] = {
	{ "From a@b  Sun Nov 22 08:05:00 2026", T },
	{ "From a@b Sun Nov 22 08:05:00 2026", T },
	{ "From \"a b Sun\"@c Sun Nov 22 08:05:00 2026", T },
	{ "From a Sun Nov 22 08:05 2026", T },
	{ "From a Sun Nov 22 15:05:00 +0700 2026", T },
	{ "From a Sun Nov 22 03:05:00 2026 -0500", T },
	{ "From a Sun Nov 22 08:05:00 UTC 2026", T },
	{ "From a Sun Nov 22 08:05:00 WIB DST 2026 remote from c", T },
	{ "From a Sun, 22 Nov 2026 15:05:00 +0700", T },
	{ "From MAILER-DAEMON Thu Jan  1 00:00:10 1970", 10 },
	{ "From here on", 0 },
	{ "From a Sun Nov 2026", 0 },
	{ "From a Sun Nov 32 08:05:00 2026", 0 },
	{ "From a Sun Nov 22 24:05:00 2026", 0 },
	{ "From a Sun Nov 22 08:05:00", 0 },
	{ "From a Nov 22 08:05:00 2026", 0 },
	{ ">From a Sun Nov 22 08:05:00 2026", 0 },
	{ "from a Sun Nov 22 08:05:00 2026", 0 },
	{ "From: a Sun Nov 22 08:05:00 2026", 0 },
	{ "From", 0 },
	{ "", 0 },
};

static void from_dates(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(from_lines); i++) {
		int64_t t = 0;
		bool local;
		assert_int_equal(mbox_from_parse(sv_z(from_lines[i].line), &t, &local), from_lines[i].t != 0);
		assert_int_equal(t, from_lines[i].t);
	}
	int64_t t;
	bool local;
	assert_int_equal(mbox_from_parse(SV("From a Sun Nov 22 15:05:00 2026"), &t, &local), 1);
	assert_true(local);
	assert_int_equal(mbox_from_parse(SV("From a Sun Nov 22 15:05:00 2026 +0000"), &t, &local), 1);
	assert_false(local);
	char line[MBOX_FROM_MAX + 100];
	memset(line, 'a', sizeof(line));
	memcpy(line, "From ", 5);
	const char *date = " Sun Nov 22 08:05:00 2026";
	memcpy(line + sizeof(line) - strlen(date), date, strlen(date));
	assert_int_equal(mbox_from_parse(sv_n(line, sizeof(line)), &t, &local), 0);
}

#define FROM "From a@b Sun Nov 22 08:05:00 2026\n"

struct result {
	struct buf shown; /* mails in <> */
	struct mbox_meta meta;
	struct mbox_base base;
	struct keywords kw;
	struct mbox_found last;
	size_t n;
};

static int begin(void *ctx)
{
	struct result *r = ctx;
	r->meta = (struct mbox_meta){ 0 };
	return buf_putc(&r->shown, '<');
}

static int field(void *ctx, enum mbox_field f, struct sv value, UNUSED uint64_t at)
{
	struct result *r = ctx;
	mbox_meta_field(&r->meta, f, value, &r->kw);
	if (f == MBOX_F_X_IMAPBASE)
		(void)mbox_base_field(&r->base, value, &r->kw);
	return 0;
}

static int piece(void *ctx, enum mbox_piece kind, struct sv octets)
{
	struct result *r = ctx;
	return kind == MBOX_P_SHOWN ? buf_put_sv(&r->shown, octets) : 0;
}

static int mail(void *ctx, const struct mbox_found *m)
{
	struct result *r = ctx;
	r->last = *m;
	r->n++;
	return buf_putc(&r->shown, '>');
}

static int scan(struct result *r, struct sv in)
{
	struct mbox_scan *s = mem_alloc(sizeof(*s));
	*r = (struct result){ .n = 0 };
	buf_init(&r->shown, 1 << 20);
	const struct mbox_sink sink = { begin, field, piece, mail, r };
	mbox_scan_init(s, &sink, 0);
	int rc = mbox_scan_put(s, in);
	if (rc == 0)
		rc = mbox_scan_end(s);
	free(s);
	return rc;
}

static const struct {
	const char *in, *shown;
} files[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ FROM "S: a\n\nb\n\n" FROM "S: c\n\nd\n", "<S: a\n\nb\n><S: c\n\nd\n>" },
	/* no empty line between, and one that the mail has itself */
	{ FROM "S: a\n\nb\n" FROM "S: c\n\nd\n\n\n", "<S: a\n\nb\n><S: c\n\nd\n\n>" },
	/* Content-Length does not swallow the next mail, and is not shown */
	{ FROM "Content-Length: 1000\nS: a\n\nb\n\n" FROM "\nd\n", "<S: a\n\nb\n><\nd\n>" },
	{ FROM "S: a\nStatus: RO\n folded\nX-UID: 1\nLines: 5\nT: b\n\nStatus: x\n", "<S: a\nT: b\n\nStatus: x\n>" },
	{ FROM "S: a\n\n>From b\nFrom here on\n>>From c\n", "<S: a\n\n>From b\nFrom here on\n>>From c\n>" },
	{ FROM "S: a\r\n\r\nb\r\n\r\n" FROM, "<S: a\r\n\r\nb\r\n><>" },
	/* somebody is writing the next one */
	{ FROM "S: a\n\nb\n\nFrom c@d Sun N", "<S: a\n\nb\n>" },
	{ FROM "S: a\n\nb\n\nfrom", "<S: a\n\nb\n\nfrom>" },
};

static void what_is_shown(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct result r;
		assert_int_equal(scan(&r, sv_z(files[i].in)), 0);
		assert_string_equal(buf_z(&r.shown), files[i].shown);
		buf_free(&r.shown);
	}
	struct result r;
	assert_int_equal(scan(&r, SV("S: a\n\n" FROM)), -1);
	buf_free(&r.shown);
}

static void fields_are_read(UNUSED void **state)
{
	struct result r;
	assert_int_equal(scan(&r, SV(FROM "X-IMAPbase: 12 0000000034 $one two\nX-UID: 7 \nstatus: ROx\n"
		"X-Status: DTFA\nX-Keywords: two  three\nS: a\n\nb\n")), 0);
	assert_int_equal(r.base.uidvalidity, 12);
	assert_int_equal(r.base.last, 34);
	assert_int_equal(r.meta.uid, 7);
	assert_int_equal(r.meta.flags,
		STORE_SEEN | STORE_ANSWERED | STORE_FLAGGED | STORE_DRAFT | STORE_DELETED);
	assert_true(r.meta.old);
	assert_string_equal(r.kw.name[0], "$one");
	assert_string_equal(r.kw.name[2], "three");
	assert_int_equal(r.meta.keywords, 2 | 4);
	assert_true(r.last.plain);
	assert_int_equal(r.last.size, strlen("S: a\n\nb\n"));
	assert_int_equal(r.last.vsize, strlen("S: a\n\nb\n") + 3);
	buf_free(&r.shown);
	assert_int_equal(scan(&r, SV(FROM "X-UID: 99999999999\nX-IMAPbase: 0 5\nX-UID: x\n\n")), 0);
	assert_int_equal(r.meta.uid, 0);
	assert_int_equal(r.base.uidvalidity, 0);
	assert_false(r.last.plain);
	buf_free(&r.shown);
}

/* A line longer than what is held, in a header and in a body. */
static void long_lines(UNUSED void **state)
{
	struct buf in;
	buf_init(&in, 1 << 20);
	(void)buf_puts(&in, FROM "X-Keywords: a");
	for (size_t i = 0; i < 3 * MBOX_LINE_KEEP; i++)
		(void)buf_putc(&in, ' ');
	(void)buf_puts(&in, "b\nS: a\n\n");
	for (size_t i = 0; i < 3 * MBOX_LINE_KEEP; i++)
		(void)buf_putc(&in, 'x');
	(void)buf_puts(&in, "\n" FROM);
	struct result r;
	assert_int_equal(scan(&r, buf_sv(&in)), 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.shown.len, strlen("<S: a\n\n\n><>") + (size_t)3 * MBOX_LINE_KEEP);
	buf_free(&r.shown);
	buf_free(&in);
}

static void blocks_leave_room(UNUSED void **state)
{
	const struct keywords kw = { .name = { "$one" } };
	const struct mbox_meta m = { .uid = 5, .flags = STORE_SEEN | STORE_FLAGGED, .keywords = 1 };
	const struct mbox_base base = { 9, 5 };
	struct buf out;
	buf_init(&out, 1000);
	assert_int_equal(mbox_meta_block(&out, &m, &kw, &base, MBOX_F_X_IMAPBASE), 0);
	assert_non_null(strstr(buf_z(&out), "X-IMAPbase: 9 0000000005 $one    "));
	assert_non_null(strstr(buf_z(&out), "\nX-UID: 5         \nStatus: R \nX-Status: F   \nX-Keywords: $one "));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_dates),
		cmocka_unit_test(what_is_shown),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(blocks_leave_room),
	};
	return cmocka_run_group_tests_name("mbox_scan", tests, NULL, NULL);
}
