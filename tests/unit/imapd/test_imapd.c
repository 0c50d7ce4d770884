/*
 * Unit test of pop3d/: the dialogues of tests/daemon/imapd/ with a real Maildir, over socketpairs;
 * and byte-stuffing of messages cut into pieces anywhere.
 */
#include <dirent.h>
#include <sys/socket.h>

#include "imapd/imapd.h"
#include "tests/support/t.h"

#include "tests/support/mail_home.h"

struct play {
	struct chat chat;
	struct mail_home home;
	struct store *store;
	struct imap_settings set;
	int fds[2];
	int rc;
	struct fiber_event *served;
};

static void run_imap(void *arg)
{
	struct play *p = arg;
	struct clnt_auth_session s = {
		.who = { .name = SV("anna@example.test"),
		        .uid = geteuid(),
		        .home = sv_z(p->home.dir),
		        .mail = SV("maildir:~/Maildir") },
		.input = SV("p1 NOOP\r\n"), /* pipelined behind LOGIN */
		.tag = SV("a0"),
		.session = SV("test"),
		.fd = p->fds[0],
	};

	imapd_serve(p->store, &p->set, &s);
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
	if (!fiber_spawn("imap", 0, run_imap, p))
		abort();
}

/* Lines before the first "<" prepare the mailbox: play them before the session starts. */
static void run_play(void *arg)
{
	struct play *p = arg;
	struct fiber *f;

	p->served = fiber_event_new();
	p->store = store_new(&(struct store_options){ .host = "test" });
	f = fiber_spawn("imap", 0, run_imap, p);
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

static unsigned failed; /* dialogues */

static void play(const char *name)
{
	char path[500];
	struct play p = {
		.chat = { .path = path, .call = later_call, .ctx = &p },
		.set = { .timeout_ms = strstr(name, "slow") ? 300 : 20000,
		        .command_limit = 16384,
		        .memory_limit = 8 << 20,
		        .message_limit = 100000,
		        .max_errors = 8 },
	};

	snprintf(path, sizeof(path), "%s/tests/daemon/imapd/%s", T_SOURCE_DIR, name);
	t_case(name);
	mail_home_make(&p.home);
	prepare(&p);
	assert_int_equal(
	        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p.fds), 0);
	assert_int_equal(fiber_main(run_play, &p), 0);
	mail_home_free(&p.home);
	if (p.rc != 0)
		print_error("%s\n", p.chat.error);
	failed += p.rc != 0;
}

static void plays_all(UNUSED void **state)
{
	DIR *d = opendir(T_SOURCE_DIR "/tests/daemon/imapd");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (sv_ends(sv_z(de->d_name), SV(".chat"))) {
			play(de->d_name);
			n++;
		}
	closedir(d);
	assert_true(n >= 10);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_all),
	};
	return cmocka_run_group_tests_name("imapd", tests, NULL, NULL);
}
