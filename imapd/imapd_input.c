/* From octets to one command: lines, literals, and what to say when they are too long. */
#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"

void imapd_lost(struct imap_session *s, ssize_t rc)
{
	if (rc == STREAM_TIMEOUT)
		imapd_bye(s, "Disconnected for inactivity.", "Inactivity");
	else if (rc == STREAM_CANCELLED)
		imapd_bye(s, "Server shutting down.", "Server shutting down");
	else {
		s->done = true;
		s->why = "Connection closed";
	}
}

bool imapd_client_waits(struct imap_session *s, bool between_lines)
{
	if (s->done)
		return false;
	if (fiber_cancelled()) {
		if (!between_lines)
			stream_puts(s->io, "\r\n");
		imapd_lost(s, STREAM_CANCELLED);
		return false;
	}
	enum stream_peer peer = stream_peer(s->io);

	if (peer == STREAM_PEER_SILENT && between_lines && !s->asked) {
		s->asked = true;
		if (stream_puts(s->io, "* OK Still at work.\r\n") != 1 || stream_flush(s->io) != 1)
			peer = STREAM_PEER_GONE;
	}
	if (peer == STREAM_PEER_GONE)
		imapd_lost(s, STREAM_ERR);
	return !s->done;
}

/* A literal that will not be read: refuse it in place of "+", or part company. */
static enum imap_input too_big(struct imap_session *s)
{
	struct sv line = buf_sv(&s->in);

	if (!s->frame.sync) {
		imapd_bye(s, "[TOOBIG] Literal too large.", "Literal too large");
		return IMAP_INPUT_END;
	}
	s->cmd = (struct imap_cmd){ .tag = sv_take_word(&line) };
	imapd_bad(s, "Literal too large.");
	return s->done ? IMAP_INPUT_END : IMAP_INPUT_AGAIN;
}

/* Look at what came so far. IMAP_INPUT_AGAIN: more is needed. */
static enum imap_input look(struct imap_session *s)
{
	for (;;) {
		switch (imap_frame_scan(&s->frame, buf_sv(&s->in))) {
		case IMAP_FRAME_MORE: return IMAP_INPUT_AGAIN;
		case IMAP_FRAME_DONE: return IMAP_INPUT_COMMAND;
		case IMAP_FRAME_LITERAL:
			if (s->frame.append)
				return IMAP_INPUT_APPEND;
			if (s->frame.sync)
				stream_puts(s->io, "+ OK\r\n");
			break;
		case IMAP_FRAME_LITERAL_TOO_BIG: too_big(s); return IMAP_INPUT_END;
		case IMAP_FRAME_LINE_TOO_LONG:
		default:
			imapd_bye(s, "Command too long.", "Command too long");
			return IMAP_INPUT_END;
		}
	}
}

enum imap_input imapd_read(struct imap_session *s)
{
	struct imap_frame_limits lim = {
		.line = s->set->command_limit,
		.literal = s->set->command_limit,
		.total = s->set->command_limit,
		.nonsync = s->set->command_limit,
		.append = UINT64_MAX / 2,
	};
	struct sv got;

	imap_frame_init(&s->frame, &lim);
	buf_reset(&s->in);
	for (;;) {
		/* answers to pipelined commands leave together */
		if (sv_empty(stream_buffered(s->io)) && stream_flush(s->io) != 1) {
			imapd_lost(s, STREAM_ERR);
			return IMAP_INPUT_END;
		}
		ssize_t n = stream_peek(s->io, &got, fiber_deadline(s->set->timeout_ms));

		if (n <= 0) {
			imapd_lost(s, n);
			return IMAP_INPUT_END;
		}
		size_t before = s->in.len;
		struct sv part = sv_upto(got, s->in.max - before);

		if (buf_put_sv(&s->in, part) < 0 || part.len == 0) {
			imapd_bye(s, "Command too long.", "Command too long");
			return IMAP_INPUT_END;
		}
		enum imap_input r = look(s);

		if (r == IMAP_INPUT_AGAIN) {
			stream_consume(s->io, part.len);
			continue;
		}
		if (r == IMAP_INPUT_END && s->done)
			return r;
		/* what follows the command, or the message's first octets, stay in the stream */
		stream_consume(s->io, s->frame.end - before);
		buf_truncate(&s->in, s->frame.end);
		return r == IMAP_INPUT_END ? IMAP_INPUT_AGAIN : r;
	}
}
