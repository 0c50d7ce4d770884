/*
 * tests/support/chat.h - play a dialogue from a .chat file against one end of a socket.
 *
 * Layer: tests (event loop; header only, as it needs lib/fiber).
 *
 * A .chat file is a list of lines:
 *
 *     # comment
 *     > a LOGIN x y        send the text and CRLF
 *     >> {5}\r\nab         send the text as it is, \r \n \0 \\ are escapes
 *     < * OK ~ ready       one line must come; ~ stands for any text
 *     <~ a OK              skip lines until one matches (at most 10,000)
 *     $ name text          call the test's own function
 *     <eof                 the connection must be closed
 *
 * The first mismatch ends it; chat.error then says where, what came and what was expected.
 */
#ifndef TESTS_SUPPORT_CHAT_H
#define TESTS_SUPPORT_CHAT_H

#include <stdio.h>

#include "lib/fiber/fiber.h"
#include "lib/fiber/stream.h"

struct chat {
	const char *path;
	struct stream *io;
	void (*call)(void *ctx, struct sv name, struct sv text);
	void *ctx;
	char error[2000];
	unsigned line;
};

#define CHAT_WAIT_MS 20000

/* ~ matches any run of octets. */
static inline bool chat_match(struct sv pattern, struct sv s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;

	while (i < s.len) {
		if (p < pattern.len && pattern.p[p] == '~') {
			star = p++;
			mark = i;
		} else if (p < pattern.len && pattern.p[p] == s.p[i]) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '~')
		p++;
	return p == pattern.len;
}

static inline void chat_unescape(struct sv text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\' && i + 1 < text.len) {
			i++;
			buf_putc(out, text.p[i] == 'r'   ? '\r'
			              : text.p[i] == 'n' ? '\n'
			              : text.p[i] == '0' ? '\0'
			                                 : text.p[i]);
		} else {
			buf_putc(out, text.p[i]);
		}
	}
}

static inline int chat_expect(struct chat *c, struct sv pattern, bool skip)
{
	struct sv line;

	for (unsigned n = 0; n < 10000; n++) {
		int rc = stream_line(c->io, 60000, &line, NULL, fiber_deadline(CHAT_WAIT_MS));

		if (rc != 1) {
			snprintf(c->error, sizeof(c->error),
			        "%s:%u: expected \"%.*s\", got end or error %d", c->path, c->line,
			        SV_ARG(pattern), rc);
			return -1;
		}
		if (chat_match(pattern, line))
			return 0;
		if (!skip) {
			snprintf(c->error, sizeof(c->error),
			        "%s:%u: expected \"%.*s\", got \"%.*s\"", c->path, c->line,
			        SV_ARG(pattern), SV_ARG(sv_upto(line, 800)));
			return -1;
		}
	}
	return -1;
}

static inline int chat_eof(struct chat *c)
{
	struct sv got;
	ssize_t n = stream_peek(c->io, &got, fiber_deadline(CHAT_WAIT_MS));

	if (n == 0)
		return 0;
	snprintf(c->error, sizeof(c->error), "%s:%u: expected the end, got %zd: \"%.*s\"", c->path,
	        c->line, n, n > 0 ? (int)got.len : 0, n > 0 ? got.p : "");
	return -1;
}

static inline int chat_step(struct chat *c, struct sv l)
{
	struct buf b;
	int rc = 0;

	if (sv_starts(l, SV("> ")) || sv_starts(l, SV(">> "))) {
		bool raw = l.p[1] == '>';

		buf_init(&b, 1 << 20);
		if (raw)
			chat_unescape(sv_from(l, 3), &b);
		else
			buf_put_sv(&b, sv_from(l, 2));
		if (!raw)
			buf_puts(&b, "\r\n");
		rc = stream_put_sv(c->io, buf_sv(&b)) == 1 && stream_flush(c->io) == 1 ? 0 : -1;
		buf_free(&b);
		if (rc < 0)
			snprintf(
			        c->error, sizeof(c->error), "%s:%u: cannot send", c->path, c->line);
		return rc;
	}
	if (sv_starts(l, SV("<eof")))
		return chat_eof(c);
	if (sv_starts(l, SV("<~ ")))
		return chat_expect(c, sv_from(l, 3), true);
	if (sv_starts(l, SV("< ")))
		return chat_expect(c, sv_from(l, 2), false);
	if (sv_eqz(l, "<"))
		return chat_expect(c, SV_NONE, false);
	if (sv_starts(l, SV("$ "))) {
		struct sv rest = sv_from(l, 2);
		struct sv name = sv_take_word(&rest);

		c->call(c->ctx, name, rest);
		return 0;
	}
	if (sv_empty(l) || l.p[0] == '#')
		return 0;
	snprintf(c->error, sizeof(c->error), "%s:%u: not a line of a dialogue", c->path, c->line);
	return -1;
}

/* Play c->path on FD (closed at the end). 0, or -1 and c->error. */
static inline int chat_play(struct chat *c, int fd)
{
	char text[4096];
	FILE *f = fopen(c->path, "r");
	int rc = 0;

	c->io = stream_new(fd);
	if (!f) {
		snprintf(c->error, sizeof(c->error), "%s: cannot be read", c->path);
		rc = -1;
	}
	while (rc == 0 && fgets(text, sizeof(text), f)) {
		struct sv l = sv_z(text);

		c->line++;
		if (sv_ends(l, SV("\n")))
			l.len--;
		rc = chat_step(c, l);
	}
	if (f)
		fclose(f);
	stream_free(c->io);
	return rc;
}

#endif
