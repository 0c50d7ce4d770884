/*
 * tests/support/play.h - run a daemon's session against the dialogues in tests/daemon/NAME.
 *
 * Layer: tests (event loop; header only). Asserts are made outside of fibers.
 *
 *     static bool one(const char *path) { struct play p = { .path = path, .serve = serve, .ctx = &mine };
 *                                         return play_dialogue(&p); }
 *     play_folder("pop3d", 5, one);
 */
#ifndef TESTS_SUPPORT_PLAY_H
#define TESTS_SUPPORT_PLAY_H

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/support/chat.h"

struct play {
	const char *path;
	void (*serve)(void *ctx, int fd); /* one session, on a fiber of its own; takes FD */
	void (*begin)(void *ctx);         /* on the first fiber, before the session; may be NULL */
	void (*end)(void *ctx);
	void (*call)(void *ctx, struct sv name, struct sv text); /* "$" lines */
	void *ctx;
	struct chat chat;
	int fds[2]; /* the server's, the client's */
	int rc;
	struct fiber_event *served;
};

static inline void play_session(void *arg)
{
	struct play *p = arg;

	p->serve(p->ctx, p->fds[0]);
	fiber_event_set(p->served);
}

static inline void play_start(struct play *p)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->fds) < 0 ||
	        !fiber_spawn("session", 0, play_session, p))
		abort();
}

static inline void play_wait(struct play *p)
{
	if (fiber_event_wait(p->served, fiber_deadline(CHAT_WAIT_MS)) == 1 || p->rc != 0)
		return;
	p->rc = -1;
	snprintf(p->chat.error, sizeof(p->chat.error), "%s: the session does not end", p->path);
}

/* From .call: the client leaves, and comes back in a new session. */
static inline void play_again(struct play *p)
{
	stream_free(p->chat.io);
	play_wait(p);
	fiber_event_clear(p->served);
	play_start(p);
	p->chat.io = stream_new(p->fds[1]);
}

static inline void play_fiber(void *arg)
{
	struct play *p = arg;

	p->served = fiber_event_new();
	if (p->begin)
		p->begin(p->ctx);
	play_start(p);
	int rc = chat_play(&p->chat, p->fds[1]);

	p->rc = rc < 0 ? rc : p->rc;
	play_wait(p);
	if (p->end)
		p->end(p->ctx);
	fiber_event_free(p->served);
	fiber_stop(0);
}

/* True: all went as the dialogue says. */
static inline bool play_dialogue(struct play *p)
{
	p->chat = (struct chat){ .path = p->path, .call = p->call, .ctx = p->ctx };
	if (fiber_main(play_fiber, p) != 0)
		p->rc = -1;
	if (p->rc != 0)
		print_error("%s\n", p->chat.error);
	return p->rc == 0;
}

/* Each dialogue of DAEMON; there are LEAST at least. */
static inline void play_folder(const char *daemon, unsigned least, bool (*one)(const char *path))
{
	char path[1000];
	unsigned n = 0, failed = 0;

	snprintf(path, sizeof(path), "%s/tests/daemon/%s", T_SOURCE_DIR, daemon);
	DIR *d = opendir(path);

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d)) != NULL;)
		if (sv_ends(sv_z(de->d_name), SV(".chat"))) {
			snprintf(path, sizeof(path), "%s/tests/daemon/%s/%s", T_SOURCE_DIR, daemon,
			        de->d_name);
			t_case(de->d_name);
			failed += !one(path);
			n++;
		}
	closedir(d);
	assert_true(n >= least);
	assert_int_equal(failed, 0);
}

#endif
