/* Unit test of lib/queue/drop_file.c. */
#include "tests/support/t.h"

#include "lib/queue/drop_file.h"

static void whole(struct buf *b)
{
	buf_init(b, 1 << 20);
	drop_put_magic(b);
	drop_put(b, DROP_SENDER, SV("anna"));
	drop_put(b, DROP_FULL_NAME, SV("Anna A."));
	drop_put_number(b, DROP_RET, 2, SV_NONE);
	drop_put(b, DROP_UTF8, SV_NONE);
	drop_put_number(b, DROP_RCPT, 4, SV("bob@example.test"));
	drop_put(b, DROP_ORCPT, SV("rfc822;caroline@far.example"));
	drop_put_number(b, DROP_RCPT, 0, SV("carol"));
	drop_put_content(b, SV("Subject: x\n\nbody\n"));
	drop_put_end(b);
	assert_false(b->overflow);
}

struct got {
	char types[64];
	char content[256];
	size_t n, len;
	const char *why;
	bool ended;
};

/* Feed IN in pieces of STEP octets. 0, or -1 malformed. */
static int feed(struct sv in, size_t step, struct got *g)
{
	struct drop_reader d = { 0 };
	struct buf b;
	int rc = 0;
	memset(g, 0, sizeof(*g));
	buf_init(&b, 1 << 20);
	while (rc >= 0 && (in.len > 0 || rc == 1)) {
		struct drop_record r;
		size_t used = 0;
		if (rc == 0) {
			buf_put_sv(&b, sv_upto(in, step));
			in = sv_from(in, step);
		}
		rc = drop_next(&d, buf_sv(&b), &r, &used, &g->why);
		if (rc == 1) {
			g->types[g->n++] = (char)r.type;
			if (r.type == DROP_CONTENT) {
				memcpy(g->content + g->len, r.data.p, r.data.len);
				g->len += r.data.len;
			}
		}
		if (rc >= 0)
			buf_consume(&b, used);
	}
	g->ended = drop_ended(&d) && b.len == 0;
	buf_free(&b);
	return rc < 0 ? -1 : 0;
}

static void reads_in_any_pieces(UNUSED void **state)
{
	struct buf b;
	whole(&b);
	for (size_t step = 1; step <= b.len; step++) {
		struct got g;
		assert_int_equal(feed(buf_sv(&b), step, &g), 0);
		assert_true(g.ended);
		assert_string_equal(g.types, "SFruRORNX");
		assert_string_equal(g.content, "Subject: x\n\nbody\n");
	}
	buf_free(&b);
}

static void truncations_do_not_end_and_flips_are_noticed(UNUSED void **state)
{
	struct buf b;
	struct got g;
	whole(&b);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(feed(sv_n(b.p, n), 4096, &g), 0);
		assert_false(g.ended);
	}
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ (1 << (bit % 8)));
		assert_true(feed(buf_sv(&b), 4096, &g) < 0 || !g.ended);
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ (1 << (bit % 8)));
	}
	buf_putc(&b, 'x');
	assert_int_equal(feed(buf_sv(&b), 4096, &g), -1);
	buf_free(&b);
}

/* Each breaks one rule of the order or of a record. */
static void broken_files_are_refused(UNUSED void **state)
{
	for (int which = 0; which < 12; which++) {
		struct buf b;
		struct got g;
		static char big[DROP_ADDRESS_MAX + 1];
		memset(big, 'x', sizeof(big));
		buf_init(&b, 1 << 20);
		drop_put_magic(&b);
		if (which != 0)
			drop_put(&b, DROP_SENDER, which == 1 ? sv_n(big, sizeof(big)) : SV("a"));
		if (which == 2)
			drop_put(&b, DROP_SENDER, SV("b"));
		if (which == 3)
			drop_put(&b, (enum drop_type)'n', SV("client name"));
		if (which == 4)
			drop_put_number(&b, DROP_RET, 7, SV_NONE);
		if (which == 5)
			drop_put_content(&b, SV("x\n"));
		if (which == 9)
			drop_put(&b, DROP_ORCPT, SV("rfc822;b\x01"));
		if (which == 10) { /* two for one */
			drop_put(&b, DROP_ORCPT, SV("rfc822;b"));
			drop_put(&b, DROP_ORCPT, SV("rfc822;c"));
		}
		drop_put_number(&b, DROP_RCPT, which == 6 ? 16 : 0, which == 7 ? SV("b\nX: y") : SV("b"));
		if (which == 11) /* for nobody */
			drop_put(&b, DROP_ORCPT, SV("rfc822;d"));
		drop_put_content(&b, SV("x\n"));
		if (which == 8)
			drop_put_number(&b, DROP_RCPT, 0, SV("late"));
		drop_put_end(&b);
		assert_int_equal(feed(buf_sv(&b), 4096, &g), -1);
		assert_non_null(g.why);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_any_pieces),
		cmocka_unit_test(truncations_do_not_end_and_flips_are_noticed),
		cmocka_unit_test(broken_files_are_refused),
	};
	return cmocka_run_group_tests_name("drop_file", tests, NULL, NULL);
}
