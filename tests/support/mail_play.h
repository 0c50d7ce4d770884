/*
 * tests/support/mail_play.h - dialogues of a reader (pop3d, imapd) with a Maildir of its own.
 *
 * Layer: tests (header only).
 *
 * "$ again" in a dialogue is a new session on the same mailbox; other "$" lines are mail_home_call()'s. Those
 * before the first line that is sent or awaited are carried out before the mailbox is opened.
 */
#ifndef TESTS_SUPPORT_MAIL_PLAY_H
#define TESTS_SUPPORT_MAIL_PLAY_H

#include "lib/clnt/clnt_auth.h"
#include "lib/store/store.h"
#include "tests/support/mail_home.h"
#include "tests/support/play.h"

struct mail_play {
	void (*serve)(
	        struct store *store, const void *settings, const struct clnt_auth_session *session);
	const void *settings;
	struct sv input; /* pipelined behind the sign-in */
	struct sv tag;
	struct play play;
	struct mail_home home;
	struct store *store;
};

static inline void mail_play_serve(void *ctx, int fd)
{
	struct mail_play *m = ctx;
	struct clnt_auth_session s = {
		.who = { .name = SV("anna@example.test"),
		        .uid = geteuid(),
		        .home = sv_z(m->home.dir),
		        .mail = SV("maildir:~/Maildir") },
		.input = m->input,
		.tag = m->tag,
		.session = SV("test"),
		.fd = fd,
	};

	m->serve(m->store, m->settings, &s);
}

static inline void mail_play_begin(void *ctx)
{
	struct mail_play *m = ctx;

	m->store = store_new(&(struct store_options){ .host = "test" });
}

static inline void mail_play_end(void *ctx)
{
	struct mail_play *m = ctx;

	store_free(m->store);
}

static inline void mail_play_call(void *ctx, struct sv name, struct sv rest)
{
	struct mail_play *m = ctx;

	if (stream_octets_in(m->play.chat.io) == 0)
		return; /* a preparing line comes by once more */
	if (sv_eqz(name, "again"))
		play_again(&m->play);
	else
		mail_home_call(&m->home, name, rest);
}

static inline void mail_play_prepare(struct mail_play *m)
{
	char text[4096];
	FILE *f = fopen(m->play.path, "r");

	assert_non_null(f);
	while (fgets(text, sizeof(text), f) && text[0] != '<' && text[0] != '>') {
		struct sv l = sv_trim(sv_z(text));

		if (sv_starts(l, SV("$ "))) {
			struct sv rest = sv_from(l, 2);
			struct sv name = sv_take_word(&rest);

			mail_home_call(&m->home, name, rest);
		}
	}
	fclose(f);
}

static inline bool mail_play(struct mail_play *m, const char *path)
{
	m->play = (struct play){
		.path = path,
		.serve = mail_play_serve,
		.begin = mail_play_begin,
		.end = mail_play_end,
		.call = mail_play_call,
		.ctx = m,
	};
	mail_home_make(&m->home);
	mail_play_prepare(m);
	bool good = play_dialogue(&m->play);

	mail_home_free(&m->home);
	return good;
}

#endif
