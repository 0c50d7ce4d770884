/*
 * IMAP before sign-in (RFC 3501 3.1, 6.1, 6.2; RFC 4959 SASL-IR; RFC 7888 LITERAL+).
 *
 *     greeting -> { CAPABILITY | NOOP | LOGIN | AUTHENTICATE | LOGOUT | other: BAD } -> hand-over |
 * end
 */
#include <string.h>

#include "lib/fiber/fiber.h"
#include "lib/wire/imap_frame.h"
#include "lib/wire/imap_parse.h"
#include "login/login.h"

/* What a stranger may make us hold. */
#define LINE_MAX_OCTETS 8192
#define LITERAL_MAX     4096
#define COMMAND_MAX     16384
#define PARSE_MAX       65536

static const struct imap_frame_limits limits = {
	.line = LINE_MAX_OCTETS,
	.literal = LITERAL_MAX,
	.total = COMMAND_MAX,
	.nonsync = LITERAL_MAX,
	.append = LITERAL_MAX,
};

struct imap_login {
	struct login_peer *peer;
	struct buf in;      /* the command */
	struct arena arena; /* of its parser */
	struct sv tag;
	bool done;
	const char *why;
};

static void end(struct imap_login *s, const char *why)
{
	s->done = true;
	s->why = why;
}

static void bye(struct imap_login *s, const char *text, const char *why)
{
	stream_printf(s->peer->stream, "* BYE %s\r\n", text);
	end(s, why);
}

static void reply(struct imap_login *s, const char *text)
{
	stream_printf(s->peer->stream, "%.*s %s\r\n", SV_ARG(s->tag), text);
}

static void bad(struct imap_login *s, const char *text)
{
	struct login_peer *p = s->peer;

	if (sv_empty(s->tag))
		stream_printf(p->stream, "* BAD %s\r\n", text);
	else
		stream_printf(p->stream, "%.*s BAD %s\r\n", SV_ARG(s->tag), text);
	if (++p->errors >= p->login->set.max_errors)
		bye(s, "Too many invalid commands.", "Disconnected: Too many bad commands");
}

/* What a read that brought nothing means. */
static void lost(struct imap_login *s, ssize_t rc)
{
	if (rc == STREAM_TIMEOUT)
		bye(s, "Disconnected for inactivity.", "Disconnected: Inactivity");
	else if (rc == STREAM_CANCELLED)
		bye(s, "Server shutting down.", "Disconnected: Shutting down");
	else
		end(s, "Aborted login");
}

/* The literal announced is too big: 1 the next command may follow, 0 the session ends. */
static int refuse_literal(struct imap_login *s, const struct imap_frame *f)
{
	struct sv line = buf_sv(&s->in);

	if (!f->sync) {
		bye(s, "Literal too large.", "Disconnected: Literal too large");
		return 0;
	}
	s->tag = sv_take_word(&line);
	bad(s, "Literal too large.");
	s->tag = SV_NONE;
	return !s->done;
}

/* One whole command into s->in. False: the session is over. */
static bool read_command(struct imap_login *s)
{
	struct stream *in = s->peer->stream;
	struct imap_frame f;
	struct sv got;

	imap_frame_init(&f, &limits);
	/* a password may stand in the last one */
	if (s->in.p)
		explicit_bzero(s->in.p, s->in.len);
	buf_reset(&s->in);
	stream_wipe(in);
	for (;;) {
		/* answers to pipelined commands leave together */
		if (sv_empty(stream_buffered(in)) && stream_flush(in) != 1) {
			end(s, "Disconnected");
			return false;
		}
		login_idle(s->peer, true);
		ssize_t n = stream_peek(in, &got, s->peer->deadline);

		login_idle(s->peer, false);
		if (n <= 0) {
			lost(s, n);
			return false;
		}
		size_t before = s->in.len;

		if (buf_put_sv(&s->in, sv_upto(got, s->in.max - s->in.len)) < 0)
			return false;
		size_t taken = s->in.len - before;
		enum imap_frame_result r;

		while ((r = imap_frame_scan(&f, buf_sv(&s->in))) == IMAP_FRAME_LITERAL)
			if (f.sync)
				stream_puts(in, "+ OK\r\n");
		if (r == IMAP_FRAME_MORE && s->in.len < s->in.max) {
			stream_consume(in, taken);
			continue;
		}
		if (r == IMAP_FRAME_DONE || (r == IMAP_FRAME_LITERAL_TOO_BIG && f.sync)) {
			/* what follows the command stays in the stream */
			stream_consume(in, f.end - before);
			buf_truncate(&s->in, f.end);
			if (r == IMAP_FRAME_DONE)
				return true;
			if (!refuse_literal(s, &f))
				return false;
			buf_reset(&s->in);
			imap_frame_init(&f, &limits);
			continue;
		}
		bye(s, "Command too long.", "Disconnected: Command too long");
		return false;
	}
}

static void put_capabilities(const struct imap_login *s)
{
	stream_printf(s->peer->stream, "CAPABILITY IMAP4rev1 SASL-IR LITERAL+ %s",
	        s->peer->plaintext_ok ? "AUTH=PLAIN" : "LOGINDISABLED");
}

static void attempt(struct imap_login *s, struct sv user, struct sv password)
{
	struct login_peer *p = s->peer;

	if (!p->plaintext_ok) {
		reply(s, "NO [PRIVACYREQUIRED] Plaintext sign-in is not allowed on this "
		         "connection.");
		return;
	}
	switch (login_try(p, user, password, s->tag)) {
	case LOGIN_HANDED: end(s, NULL); break;
	case LOGIN_REFUSED:
		reply(s, "NO [AUTHENTICATIONFAILED] Authentication failed.");
		if (p->attempts >= p->login->set.max_attempts)
			bye(s, "Too many failed attempts.", "Aborted login");
		break;
	case LOGIN_TROUBLE:
		reply(s, "NO [UNAVAILABLE] Temporary trouble here, try again later.");
		break;
	case LOGIN_GONE: end(s, "Disconnected"); break;
	}
}

static void do_login(struct imap_login *s, struct imap_parser *ps)
{
	struct sv user, password;

	if (imap_sp(ps) != 1 || imap_astring(ps, &user) != 1 || imap_sp(ps) != 1 ||
	        imap_astring(ps, &password) != 1 || imap_end(ps) != 1)
		bad(s, ps->why ? ps->why : "Usage: LOGIN user password");
	else
		attempt(s, user, password);
}

/* "AUTHENTICATE PLAIN [response]": the response may be "=" (empty), or follow a "+". */
static void do_authenticate(struct imap_login *s, struct imap_parser *ps)
{
	struct login_peer *p = s->peer;
	struct sv mechanism, response = SV_NONE, user, password;
	struct buf plain;

	if (imap_sp(ps) != 1 || imap_atom(ps, &mechanism) != 1) {
		bad(s, "Usage: AUTHENTICATE mechanism");
		return;
	}
	struct sv rest = sv_trim(sv_from(ps->in, ps->pos));

	if (!sv_ieqz(mechanism, "PLAIN")) {
		reply(s, "NO [CANNOT] Unknown mechanism.");
		return;
	}
	if (!p->plaintext_ok) {
		reply(s, "NO [PRIVACYREQUIRED] Plaintext sign-in is not allowed on this "
		         "connection.");
		return;
	}
	if (sv_empty(rest)) {
		stream_puts(p->stream, "+ \r\n");
		if (stream_flush(p->stream) != 1) {
			end(s, "Disconnected");
			return;
		}
		int rc = stream_line(p->stream, LINE_MAX_OCTETS, &response, NULL, p->deadline);

		if (rc != 1) {
			lost(s, rc);
			return;
		}
		rest = response;
	}
	if (sv_eqz(rest, "*")) {
		bad(s, "Authentication cancelled.");
		return;
	}
	buf_init(&plain, LINE_MAX_OCTETS);
	if (!buf_room(&plain, rest.len + 1) ||
	        login_plain_decode(rest, &plain, &user, &password) < 0)
		bad(s, "Invalid PLAIN response.");
	else
		attempt(s, user, password);
	if (plain.p)
		explicit_bzero(plain.p, plain.cap);
	buf_free(&plain);
}

static void command(struct imap_login *s)
{
	struct imap_parser ps;
	struct imap_cmd cmd;

	arena_reset(&s->arena);
	imap_parser_init(&ps, buf_sv(&s->in), &s->arena, false);
	int rc = imap_cmd_parse(&ps, &cmd);

	s->tag = cmd.tag;
	if (rc != 1 || cmd.uid) {
		bad(s, rc != 1 && ps.why ? ps.why : "Sign in first.");
		return;
	}
	switch (cmd.verb) {
	case IMAP_CAPABILITY:
	case IMAP_NOOP:
	case IMAP_LOGOUT:
		if (imap_end(&ps) != 1) {
			bad(s, "This command has no arguments.");
			break;
		}
		if (cmd.verb == IMAP_CAPABILITY) {
			stream_puts(s->peer->stream, "* ");
			put_capabilities(s);
			stream_puts(s->peer->stream, "\r\n");
		} else if (cmd.verb == IMAP_LOGOUT) {
			bye(s, "Logging out", "Aborted login");
		}
		reply(s, "OK Done.");
		break;
	case IMAP_LOGIN: do_login(s, &ps); break;
	case IMAP_AUTHENTICATE: do_authenticate(s, &ps); break;
	case IMAP_UNKNOWN: bad(s, "Unknown command."); break;
	default: bad(s, "Sign in first."); break;
	}
}

const char *login_imap(struct login_peer *p)
{
	struct imap_login s = { .peer = p };

	buf_init(&s.in, COMMAND_MAX);
	arena_init(&s.arena, PARSE_MAX);
	stream_puts(p->stream, "* OK [");
	put_capabilities(&s);
	stream_printf(p->stream, "] %s\r\n", p->login->set.greeting);
	while (!s.done && read_command(&s))
		command(&s);
	if (s.in.p)
		explicit_bzero(s.in.p, s.in.cap);
	buf_free(&s.in);
	arena_free(&s.arena);
	return s.why;
}
