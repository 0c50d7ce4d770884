/*
 * POP3 before sign-in (RFC 1939 4, 7; RFC 2449; RFC 5034).
 *
 *     greeting -> { CAPA | USER | PASS | AUTH | QUIT | other: -ERR } -> hand-over | end
 */
#include <string.h>

#include "lib/fiber/fiber.h"
#include "lib/wire/pop3_cmd.h"
#include "login/login.h"

#define LINE_MAX_OCTETS 8192 /* AUTH's base64 is longer than a command may be */
#define REFUSED_TEXT    "-ERR [AUTH] Authentication failed.\r\n"
#define TROUBLE_TEXT    "-ERR [SYS/TEMP] Temporary trouble here, try again later.\r\n"
#define NO_PLAIN_TEXT   "-ERR [AUTH] Plaintext sign-in is not allowed on this connection.\r\n"

struct pop3_login {
	struct login_peer *peer;
	char user[LOGIN_USER_MAX + 1];
	bool has_user;
	bool done;
	const char *why;
};

static void end(struct pop3_login *s, const char *why)
{
	s->done = true;
	s->why = why;
}

static void bad(struct pop3_login *s, const char *text)
{
	stream_printf(s->peer->stream, "-ERR %s\r\n", text);
	if (++s->peer->errors >= s->peer->login->set.max_errors) {
		stream_puts(s->peer->stream, "-ERR Too many bad commands, good-bye.\r\n");
		end(s, "Disconnected: Too many bad commands");
	}
}

static void capa(struct pop3_login *s)
{
	stream_puts(s->peer->stream,
	        "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
	        "PIPELINING\r\n");
	if (s->peer->plaintext_ok)
		stream_puts(s->peer->stream, "USER\r\nSASL PLAIN\r\n");
	stream_puts(s->peer->stream, ".\r\n");
}

static void attempt(struct pop3_login *s, struct sv user, struct sv password)
{
	struct login_peer *p = s->peer;

	switch (login_try(p, user, password, SV_NONE)) {
	case LOGIN_HANDED: end(s, NULL); break;
	case LOGIN_REFUSED:
		stream_puts(p->stream, REFUSED_TEXT);
		if (p->attempts >= p->login->set.max_attempts)
			end(s, "Aborted login");
		break;
	case LOGIN_TROUBLE: stream_puts(p->stream, TROUBLE_TEXT); break;
	case LOGIN_GONE: end(s, "Disconnected"); break;
	}
}

static void user(struct pop3_login *s, const struct pop3_cmd *cmd)
{
	if (!s->peer->plaintext_ok) {
		stream_puts(s->peer->stream, NO_PLAIN_TEXT);
		return;
	}
	s->has_user = sv_copyz(cmd->arg, s->user, sizeof(s->user)) == 0 && s->user[0];
	stream_puts(s->peer->stream, s->has_user ? "+OK\r\n" : "-ERR Bad user name.\r\n");
}

static void pass(struct pop3_login *s, const struct pop3_cmd *cmd)
{
	if (!s->peer->plaintext_ok) {
		stream_puts(s->peer->stream, NO_PLAIN_TEXT);
	} else if (!s->has_user) {
		bad(s, "USER comes first.");
	} else {
		s->has_user = false;
		attempt(s, sv_z(s->user), cmd->arg);
	}
}

/* AUTH PLAIN, with or without an initial response. */
static void auth(struct pop3_login *s, const struct pop3_cmd *cmd)
{
	struct login_peer *p = s->peer;
	struct sv response = cmd->arg2, name, password;
	struct buf plain;

	if (sv_empty(cmd->arg)) {
		stream_printf(p->stream, "+OK\r\n%s.\r\n", p->plaintext_ok ? "PLAIN\r\n" : "");
		return;
	}
	if (!sv_ieqz(cmd->arg, "PLAIN")) {
		bad(s, "Unknown mechanism.");
		return;
	}
	if (!p->plaintext_ok) {
		stream_puts(p->stream, NO_PLAIN_TEXT);
		return;
	}
	if (sv_empty(response)) {
		stream_puts(p->stream, "+ \r\n");
		if (stream_flush(p->stream) != 1 || stream_line(p->stream, LINE_MAX_OCTETS,
		                                            &response, NULL, p->deadline) != 1) {
			end(s, "Disconnected");
			return;
		}
	}
	buf_init(&plain, LINE_MAX_OCTETS);
	if (!buf_room(&plain, response.len) ||
	        login_plain_decode(response, &plain, &name, &password) < 0)
		bad(s, "Invalid PLAIN response.");
	else
		attempt(s, name, password);
	explicit_bzero(plain.p, plain.cap);
	buf_free(&plain);
}

static void command(struct pop3_login *s, struct sv line)
{
	struct pop3_cmd cmd;
	const char *why = "Bad command.";
	int rc = pop3_cmd_parse(line, &cmd, &why);

	if (rc < 0 || (line.len > POP3_LINE_MAX && cmd.verb != POP3_AUTH)) {
		bad(s, rc < 0 ? why : "Line too long.");
		return;
	}
	switch (cmd.verb) {
	case POP3_CAPA: capa(s); break;
	case POP3_USER: user(s, &cmd); break;
	case POP3_PASS: pass(s, &cmd); break;
	case POP3_AUTH: auth(s, &cmd); break;
	case POP3_QUIT:
		stream_puts(s->peer->stream, "+OK Good-bye.\r\n");
		end(s, "Aborted login");
		break;
	default: bad(s, rc == 0 ? "Unknown command." : "Sign in first."); break;
	}
}

const char *login_pop3(struct login_peer *p)
{
	struct pop3_login s = { .peer = p };

	stream_printf(p->stream, "+OK %s\r\n", p->login->set.greeting);
	while (!s.done) {
		struct sv line;

		/* pipelined commands are answered together: flush before waiting only */
		if (sv_empty(stream_buffered(p->stream)) && stream_flush(p->stream) != 1)
			return "Disconnected";
		stream_wipe(p->stream);
		login_idle(p, true);
		int rc = stream_line(p->stream, LINE_MAX_OCTETS, &line, NULL, p->deadline);

		login_idle(p, false);
		if (rc == STREAM_TOO_LONG) {
			stream_puts(p->stream, "-ERR Line too long, good-bye.\r\n");
			return "Disconnected: Line too long";
		}
		if (rc == STREAM_TIMEOUT) {
			stream_puts(p->stream, "-ERR Disconnected for inactivity.\r\n");
			return "Disconnected: Inactivity";
		}
		if (rc == STREAM_CANCELLED) {
			stream_puts(p->stream, "-ERR [SYS/TEMP] Server shutting down.\r\n");
			return "Disconnected: Shutting down";
		}
		if (rc != 1)
			return "Aborted login";
		command(&s, line);
	}
	return s.why;
}
