/*
 * One POP3 session after sign-in (RFC 1939 5, 6).
 *
 *     TRANSACTION --QUIT--> UPDATE (deletes what DELE marked) -> end
 *          '------ connection lost, time-out, errors ----------> end, nothing deleted
 */
#include <string.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "pop3d/pop3d.h"

#define LINE_MAX_OCTETS 1024
#define WRITE_MS        60000

static void say(struct pop3_session *s, const char *text)
{
	stream_puts(s->out, text);
}

static void end(struct pop3_session *s, const char *why)
{
	s->done = true;
	s->why = why;
}

static void bad(struct pop3_session *s, const char *text)
{
	stream_printf(s->out, "-ERR %s\r\n", text);
	if (++s->errors >= s->set->max_errors) {
		say(s, "-ERR Too many bad commands, good-bye.\r\n");
		end(s, "Too many bad commands");
	}
}

/* The message that CMD names, as an index; false when an -ERR has been sent. */
static bool message(struct pop3_session *s, const struct pop3_cmd *cmd, size_t *index)
{
	if (!cmd->has_msg || cmd->msg == 0 || cmd->msg > s->drop.count) {
		bad(s, "There is no message with that number.");
		return false;
	}
	*index = (size_t)cmd->msg - 1;
	if (s->drop.deleted[*index]) {
		bad(s, "That message is deleted.");
		return false;
	}
	return true;
}

static uint64_t size_of(const struct pop3_session *s, size_t index)
{
	return store_box_msg(s->drop.box, index)->vsize;
}

static size_t left(const struct pop3_session *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->drop.count; i++)
		n += !s->drop.deleted[i];
	return n;
}

static void cmd_stat(struct pop3_session *s)
{
	stream_printf(s->out, "+OK %zu %llu\r\n", left(s), (unsigned long long)s->drop.octets);
}

/* LIST and UIDL: for one message, or for all. */
static void cmd_listing(struct pop3_session *s, const struct pop3_cmd *cmd)
{
	char uidl[POP3_UIDL_SIZE];
	size_t i;

	if (cmd->has_msg) {
		if (!message(s, cmd, &i))
			return;
		if (cmd->verb == POP3_UIDL) {
			pop3_drop_uidl(&s->drop, i, uidl);
			stream_printf(s->out, "+OK %zu %s\r\n", i + 1, uidl);
		} else {
			stream_printf(s->out, "+OK %zu %llu\r\n", i + 1,
			        (unsigned long long)size_of(s, i));
		}
		return;
	}
	if (cmd->verb == POP3_UIDL)
		say(s, "+OK\r\n");
	else
		stream_printf(s->out, "+OK %zu messages (%llu octets)\r\n", left(s),
		        (unsigned long long)s->drop.octets);
	for (i = 0; i < s->drop.count; i++) {
		if (s->drop.deleted[i])
			continue;
		if (cmd->verb == POP3_UIDL) {
			pop3_drop_uidl(&s->drop, i, uidl);
			stream_printf(s->out, "%zu %s\r\n", i + 1, uidl);
		} else {
			stream_printf(
			        s->out, "%zu %llu\r\n", i + 1, (unsigned long long)size_of(s, i));
		}
		if (i % 4096 == 4095)
			fiber_yield();
	}
	say(s, ".\r\n");
}

static void cmd_retrieve(struct pop3_session *s, const struct pop3_cmd *cmd)
{
	struct err e = ERR_INIT;
	size_t i;

	if (!message(s, cmd, &i))
		return;
	bool top = cmd->verb == POP3_TOP;

	switch (pop3_send(s, i, top ? cmd->lines : POP3_ALL_LINES, &e)) {
	case POP3_SENT:
		if (top)
			s->topped++;
		else
			s->retrieved++;
		break;
	case POP3_NO_MAIL:
		log_warn("pop3(%s): message %zu not sent: %s", s->user, i + 1, e.text);
		say(s, "-ERR [SYS/TEMP] This message cannot be read now.\r\n");
		break;
	case POP3_BROKEN:
		if (e.sys_errno) /* not that the client left */
			log_error("pop3(%s): message %zu broken off: %s", s->user, i + 1, e.text);
		end(s, "Message broken off");
		break;
	}
}

static void cmd_dele(struct pop3_session *s, const struct pop3_cmd *cmd)
{
	size_t i;

	if (!message(s, cmd, &i))
		return;
	s->drop.deleted[i] = true;
	s->drop.ndeleted++;
	s->drop.octets -= size_of(s, i);
	say(s, "+OK Marked to be deleted.\r\n");
}

static void cmd_rset(struct pop3_session *s)
{
	s->drop.octets = 0;
	s->drop.ndeleted = 0;
	for (size_t i = 0; i < s->drop.count; i++) {
		s->drop.deleted[i] = store_box_msg(s->drop.box, i)->gone;
		if (!s->drop.deleted[i])
			s->drop.octets += size_of(s, i);
	}
	say(s, "+OK\r\n");
}

static void cmd_quit(struct pop3_session *s)
{
	struct err e = ERR_INIT;

	/* the UPDATE state: +OK only when what was deleted stays deleted after a power cut */
	if (pop3_drop_update(&s->drop, &e) < 0) {
		log_error("pop3(%s): not all messages deleted: %s", s->user, e.text);
		say(s, "-ERR [SYS/TEMP] Some deleted messages not removed.\r\n");
		end(s, "Deleting failed");
		return;
	}
	say(s, "+OK Good-bye.\r\n");
	end(s, "Logged out");
}

static void cmd_capa(struct pop3_session *s)
{
	say(s, "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nUSER\r\n"
	       "EXPIRE NEVER\r\nIMPLEMENTATION merpati\r\n.\r\n");
}

static void command(struct pop3_session *s, struct sv line)
{
	const char *why = "Bad command.";
	struct pop3_cmd cmd;
	int rc = pop3_cmd_parse(line, &cmd, &why);

	if (rc < 0 || line.len > POP3_LINE_MAX) {
		bad(s, rc < 0 ? why : "Line too long.");
		return;
	}
	switch (cmd.verb) {
	case POP3_STAT: cmd_stat(s); break;
	case POP3_LIST:
	case POP3_UIDL: cmd_listing(s, &cmd); break;
	case POP3_RETR:
	case POP3_TOP: cmd_retrieve(s, &cmd); break;
	case POP3_DELE: cmd_dele(s, &cmd); break;
	case POP3_NOOP: say(s, "+OK\r\n"); break;
	case POP3_RSET: cmd_rset(s); break;
	case POP3_QUIT: cmd_quit(s); break;
	case POP3_CAPA: cmd_capa(s); break;
	case POP3_USER:
	case POP3_PASS:
	case POP3_AUTH:
	case POP3_APOP: bad(s, "You are signed in already."); break;
	default: bad(s, "Unknown command."); break;
	}
}

static void dialogue(struct pop3_session *s)
{
	while (!s->done) {
		struct sv line;

		/* answers to pipelined commands leave together */
		if (sv_empty(stream_buffered(s->out)) && stream_flush(s->out) != 1) {
			end(s, "Connection closed");
			return;
		}
		int rc = stream_line(
		        s->out, LINE_MAX_OCTETS, &line, NULL, fiber_deadline(s->set->timeout_ms));

		switch (rc) {
		case 1: command(s, line); break;
		case STREAM_TOO_LONG:
			say(s, "-ERR Line too long, good-bye.\r\n");
			end(s, "Line too long");
			break;
		case STREAM_TIMEOUT:
			say(s, "-ERR [SYS/TEMP] Disconnected for inactivity.\r\n");
			end(s, "Inactivity");
			break;
		case STREAM_CANCELLED:
			say(s, "-ERR [SYS/TEMP] Server shutting down.\r\n");
			end(s, "Server shutting down");
			break;
		default: end(s, "Connection closed"); break;
		}
	}
}

static bool greet(struct pop3_session *s, struct store *store, const struct clnt_auth_identity *who)
{
	struct err e = ERR_INIT;

	if (pop3_drop_open(&s->drop, store, who, &e) < 0) {
		log_error("pop3(%s): mailbox not opened: %s", s->user, e.text);
		say(s, "-ERR [SYS/TEMP] Your mailbox cannot be opened now.\r\n");
		return false;
	}
	say(s, "+OK Logged in.\r\n");
	return true;
}

void pop3_serve(
        struct store *store, const struct pop3_settings *set, const struct clnt_auth_session *a)
{
	struct pop3_session s = { .set = set, .why = "Connection closed" };
	char *user = mem_svdup(a->who.name);

	s.user = user;
	s.out = stream_new(a->fd);
	stream_write_timeout(s.out, WRITE_MS);
	if (stream_unread(s.out, a->input) < 0)
		log_error("pop3(%s): too much input was handed over", user);
	else if (greet(&s, store, &a->who))
		dialogue(&s);
	stream_flush(s.out);
	log_info("pop3(%s)<%.*s>: Disconnected: %s top=%zu, retr=%zu/%llu, del=%zu/%zu", user,
	        SV_ARG(a->session), s.why, s.topped, s.retrieved,
	        (unsigned long long)s.retrieved_octets, s.drop.ndeleted, s.drop.count);
	pop3_drop_close(&s.drop);
	stream_free(s.out);
	free(user);
}
