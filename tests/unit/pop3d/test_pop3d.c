/*
 * Unit test of pop3d/: the dialogues of tests/daemon/pop3d/ with a real Maildir, over socketpairs;
 * and byte-stuffing of messages cut into pieces anywhere.
 */
#include <dirent.h>
#include <sys/socket.h>

#include "pop3d/pop3d.h"
#include "tests/support/t.h"

#include "tests/support/mail_home.h"

struct play {
	struct chat chat;
	struct mail_home home;
	struct store *store;
	struct pop3_settings set;
	int fds[2];
	int rc;
	struct fiber_event *served;
};

static void run_pop3(void *arg)
{
	struct play *p = arg;
	struct clnt_auth_session s = {
		.who = { .name = SV("anna@example.test"),
		        .uid = geteuid(),
		        .home = sv_z(p->home.dir),
		        .mail = SV("maildir:~/Maildir") },
		.input = SV("STAT\r\n"), /* pipelined behind PASS */
		.session = SV("test"),
		.fd = p->fds[0],
	};

	pop3_serve(p->store, &p->set, &s);
	fiber_event_set(p->served);
}

/* "$ again" in a dialogue: a new session on the same mailbox; otherwise about mail. */
static void call(void *ctx, struct sv name, struct sv rest)
{
	struct play *p = ctx;

	if (!sv_eqz(name, "again")) {
		mail_home_call(&p->home, name, rest);
		return;
	}
	stream_free(p->chat.io);
	fiber_event_wait(p->served, fiber_deadline(CHAT_WAIT_MS));
	fiber_event_clear(p->served);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->fds) < 0)
		abort();
	p->chat.io = stream_new(p->fds[1]);
	if (!fiber_spawn("pop3", 0, run_pop3, p))
		abort();
}

/* Lines before the first "<" prepare the mailbox: play them before the session starts. */
static void run_play(void *arg)
{
	struct play *p = arg;
	struct fiber *f;

	p->served = fiber_event_new();
	p->store = store_new(&(struct store_options){ .host = "test" });
	f = fiber_spawn("pop3", 0, run_pop3, p);
	if (!f)
		abort();
	p->rc = chat_play(&p->chat, p->fds[1]);
	fiber_event_wait(p->served, fiber_deadline(CHAT_WAIT_MS));
	fiber_event_free(p->served);
	store_free(p->store);
	fiber_stop(0);
}

/* What stands before the first dialogue line happens before the mailbox is opened. */
static void prepare(struct play *p)
{
	char text[4096];
	FILE *f = fopen(p->chat.path, "r");

	assert_non_null(f);
	while (fgets(text, sizeof(text), f) && text[0] != '<' && text[0] != '>') {
		struct sv l = sv_trim(sv_z(text));

		if (sv_starts(l, SV("$ "))) {
			struct sv rest = sv_from(l, 2);
			struct sv name = sv_take_word(&rest);

			mail_home_call(&p->home, name, rest);
		}
	}
	fclose(f);
}

static void later_call(void *ctx, struct sv name, struct sv rest)
{
	struct play *p = ctx;

	/* the preparing lines come by once more */
	if (stream_octets_in(p->chat.io) > 0)
		call(ctx, name, rest);
}

static void play(const char *name)
{
	char path[500];
	struct play p = {
		.chat = { .path = path, .call = later_call, .ctx = &p },
		.set = { .timeout_ms = strstr(name, "slow") ? 200 : 20000, .max_errors = 5 },
	};

	snprintf(path, sizeof(path), "%s/tests/daemon/pop3d/%s", T_SOURCE_DIR, name);
	t_case(name);
	mail_home_make(&p.home);
	prepare(&p);
	assert_int_equal(
	        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p.fds), 0);
	assert_int_equal(fiber_main(run_play, &p), 0);
	assert_string_equal(p.chat.error, "");
	assert_int_equal(p.rc, 0);
	mail_home_free(&p.home);
}

static void plays_all(UNUSED void **state)
{
	DIR *d = opendir(T_SOURCE_DIR "/tests/daemon/pop3d");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (sv_ends(sv_z(de->d_name), SV(".chat"))) {
			play(de->d_name);
			n++;
		}
	closedir(d);
	assert_true(n >= 5);
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
