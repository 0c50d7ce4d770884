/*
 * Unit test of pop3d/: the dialogues of tests/daemon/pop3d/ with a real Maildir, over socketpairs;
 * and byte-stuffing of messages cut into pieces anywhere.
 */
#include "pop3d/pop3d.h"
#include "tests/support/t.h"

#include "tests/support/mail_play.h"

static void serve(struct store *store, const void *settings, const struct clnt_auth_session *session)
{
	pop3_serve(store, settings, session);
}

static bool one(const char *path)
{
	struct pop3_settings set = { .timeout_ms = strstr(path, "slow") ? 200 : 20000,
		.max_errors = 5 };
	struct mail_play m = { .serve = serve, .settings = &set, .input = SV("STAT\r\n") };

	return mail_play(&m, path);
}

static void plays_all(UNUSED void **state)
{
	play_folder("pop3d", 5, one);
}

/* --- byte-stuffing ------------------------------------------------------------------------------
 */
static const struct {
	const char *in;
	uint32_t lines;
	const char *out;
} cases[] = {
	{ "A: b\n\nx\n", POP3_ALL_LINES, "A: b\r\n\r\nx\r\n" },
	{ "A: b\r\n\r\nx\r\n", POP3_ALL_LINES, "A: b\r\n\r\nx\r\n" },
	{ "A: b\n\n.\n..\n", POP3_ALL_LINES, "A: b\r\n\r\n..\r\n...\r\n" },
	{ ".A: b\n\nx", POP3_ALL_LINES, "..A: b\r\n\r\nx" },
	{ "A: b\n\n1\n2\n3\n", 0, "A: b\r\n\r\n" },
	{ "A: b\n\n1\n2\n3\n", 2, "A: b\r\n\r\n1\r\n2\r\n" },
	{ "A: b\r\n\r\n1\r\n2\r\n", 1, "A: b\r\n\r\n1\r\n" },
	{ "A: b\n\n1\n2", 9, "A: b\r\n\r\n1\r\n2" },
	{ "A: b\nno end of header", 0, "A: b\r\nno end of header" },
	{ "\n1\n2\n", 1, "\r\n1\r\n" },
	{ "\r\n1\r\n2\r\n", 1, "\r\n1\r\n" },
	{ "A: b\n\na\rb\nc\r\rd\n", POP3_ALL_LINES, "A: b\r\n\r\na\rb\r\nc\r\rd\r\n" },
	{ "", 3, "" },
};

struct sink {
	struct buf got;
};

static ssize_t sink_read(UNUSED void *ctx, UNUSED void *p, UNUSED size_t n, UNUSED int64_t deadline)
{
	return 0;
}

static ssize_t sink_write(void *ctx, const void *p, size_t n, UNUSED int64_t deadline)
{
	struct sink *s = ctx;

	return buf_put(&s->got, p, n) == 0 ? (ssize_t)n : STREAM_ERR;
}

static void sink_free(UNUSED void *ctx)
{
}

static void stuffs(UNUSED void **state)
{
	static const struct stream_ops ops = {
		.read = sink_read, .write = sink_write, .free = sink_free
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step <= strlen(cases[i].in) + 1; step++) {
			struct pop3_stuff st = { .lines_left = cases[i].lines };
			struct sv in = sv_z(cases[i].in);
			bool finished = false;
			struct sink sink;

			t_case(cases[i].in);
			buf_init(&sink.got, 1000);
			struct stream *out = stream_new_ops(&ops, &sink);

			while (in.len > 0 && !finished) {
				struct sv piece = sv_upto(in, step);

				assert_int_equal(pop3_stuff(&st, out, piece, &finished), 0);
				in = sv_from(in, piece.len);
			}
			stream_flush(out);
			t_assert_sv(buf_sv(&sink.got), cases[i].out);
			stream_free(out);
			buf_free(&sink.got);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stuffs),
		cmocka_unit_test(plays_all),
	};
	return cmocka_run_group_tests_name("pop3d", tests, NULL, NULL);
}
