/*
 * One fiber, one session: greeting, then read a line, parse it, act, reply, until QUIT, a limit, or the
 * peer is gone. The state is small and is reset in one place:
 *
 *     (TLS first in wrapper mode; STARTTLS leads back to "connected")
 *     connected --HELO/EHLO--> greeted --MAIL--> txn.active --RCPT--> rcpt_ok > 0 --DATA--> greeted
 *
 * MAIL, RCPT and DATA out of order are answered 503; HELO, EHLO, RSET and the end of DATA, however it
 * went, call smtpd_txn_reset().
 */
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define DISCARD_LINE_MAX (256 * 1024) /* of an over-long command line; then the session ends */

/* flags of a command */
#define JUNK 1 /* counts against smtpd_junk_command_limit */
#define LAST 2 /* nothing may be sent after it before its reply (RFC 2920 3.1) */
#define CLEAR 4 /* also before TLS where that is demanded (RFC 3207 4) */

static void cmd_rset(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	if (cmd->arg.len) {
		smtpd_refuse(s, 501, "5.5.4", "Syntax: RSET");
		return;
	}
	smtpd_txn_reset(s);
	smtpd_reply(s, 250, "2.0.0", "Ok");
}

static void cmd_noop(struct smtpd_session *s, UNUSED const struct smtp_cmd *cmd)
{
	smtpd_reply(s, 250, "2.0.0", "Ok");
}

static void cmd_quit(struct smtpd_session *s, UNUSED const struct smtp_cmd *cmd)
{
	smtpd_reply(s, 221, "2.0.0", "Bye");
	s->quit = true;
}

static void cmd_help(struct smtpd_session *s, UNUSED const struct smtp_cmd *cmd)
{
	smtpd_reply(s, 214, "2.0.0", "HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP; see RFC 5321");
}

static void cmd_not_here(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	smtpd_refuse(s, 502, "5.5.1", "%s command is not available", smtp_verb_name(cmd->verb));
}

static void cmd_etrn(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	if (cmd->arg.len == 0)
		smtpd_refuse(s, 501, "5.5.4", "Syntax: ETRN domain");
	else
		smtpd_refuse(s, 458, "4.0.0", "Unable to queue messages for this domain");
}

static const struct command {
	void (*run)(struct smtpd_session *s, const struct smtp_cmd *cmd);
	unsigned flags;
} commands[SMTP_VERB_COUNT] = {
	[SMTP_HELO] = { smtpd_cmd_helo, JUNK | LAST | CLEAR },
	[SMTP_EHLO] = { smtpd_cmd_helo, JUNK | LAST | CLEAR },
	[SMTP_MAIL] = { smtpd_cmd_mail, 0 },
	[SMTP_RCPT] = { smtpd_cmd_rcpt, 0 },
	[SMTP_DATA] = { smtpd_cmd_data, LAST },
	[SMTP_RSET] = { cmd_rset, JUNK },
	[SMTP_NOOP] = { cmd_noop, JUNK | LAST | CLEAR },
	[SMTP_VRFY] = { smtpd_cmd_vrfy, JUNK | LAST },
	[SMTP_QUIT] = { cmd_quit, CLEAR },
	[SMTP_HELP] = { cmd_help, JUNK | CLEAR },
	[SMTP_STARTTLS] = { smtpd_cmd_starttls, LAST | CLEAR },
	[SMTP_EXPN] = { cmd_not_here, JUNK },
	[SMTP_VERB] = { cmd_not_here, JUNK },
	[SMTP_ETRN] = { cmd_etrn, JUNK | LAST },
};

void smtpd_txn_reset(struct smtpd_session *s)
{
	clnt_cleanup_abort(s->cleanup);
	s->txn = (struct smtpd_txn){ 0 };
	arena_reset(&s->txn_arena);
	/* between two mails: what is long enough is told, so that one notice is about one thing */
	smtpd_notify(s, (unsigned)s->proc->smtpd.smtpd_history_flush_threshold);
}

/* 421 or the like before the first command: the client has not earned a greeting. */
static bool refuse_connection(struct smtpd_session *s)
{
	if (s->proc->smtpd.smtpd_forbid_unauth_pipelining) {
		/* RFC 5321 3.1: the client waits for the greeting */
		struct sv early = stream_buffered(s->io);
		if (early.len == 0 && (s->tls ? tls_input_waits(s->tls)
				: fiber_wait_fd(stream_fd(s->io), FIBER_READ, fiber_deadline(0)) == 1)) {
			ssize_t n = stream_peek(s->io, &early, fiber_deadline(0));
			if (n <= 0) {
				s->hung_up = n != STREAM_TIMEOUT;
				return s->hung_up;
			}
		}
		if (early.len) {
			log_info("improper command pipelining after CONNECT from %s: %.*s", s->peer.namaddr,
				SV_ARG(sv_upto(early, 100)));
			smtpd_refuse(s, 554, "5.5.0", "Error: SMTP protocol synchronization");
			return true;
		}
	}
	if (!smtpd_limit_connect(s))
		return true;
	if (s->proc->smtpd.smtpd_delay_reject)
		return false;
	struct smtpd_verdict v = smtpd_access_check(s, SMTPD_STAGE_CLIENT, SV_NONE);
	if (v.action == SMTPD_REFUSE)
		smtpd_refuse_verdict(s, "CONNECT", &v);
	return false;
}

/* The client sent more before it may: its own fault, or somebody's smuggled commands. */
static bool out_of_step(struct smtpd_session *s, unsigned flags)
{
	struct sv more = stream_buffered(s->io);
	if (more.len == 0 || (s->esmtp && !(flags & LAST)))
		return false;
	log_info("improper command pipelining after %s from %s: %.*s", s->where, s->peer.namaddr,
		SV_ARG(sv_upto(more, 100)));
	if (!s->proc->smtpd.smtpd_forbid_unauth_pipelining)
		return false;
	smtpd_refuse(s, 554, "5.5.0", "Error: SMTP protocol synchronization");
	s->quit = true;
	return true;
}

static bool forbidden(const struct smtpd_session *s, struct sv word)
{
	struct sv list = sv_z(s->proc->smtpd.smtpd_forbidden_commands);
	while (list.len) {
		struct sv name = sv_take_word(&list);
		while (name.len && name.p[name.len - 1] == ',')
			name.len--;
		if (name.len && sv_ieq(name, word))
			return true;
	}
	return false;
}

static void dispatch(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	const struct params_smtpd *p = &s->proc->smtpd;
	const struct command *c = &commands[cmd->verb];
	unsigned errors = s->counts.errors;

	s->where = cmd->verb == SMTP_UNKNOWN ? "UNKNOWN" : smtp_verb_name(cmd->verb);
	s->counts.all[cmd->verb]++;
	s->counts.all_cmds++;
	if (cmd->verb == SMTP_UNKNOWN && forbidden(s, cmd->word)) {
		log_warn("non-SMTP command from %s: %.*s %.*s", s->peer.namaddr, SV_ARG(cmd->word),
			SV_ARG(sv_upto(cmd->arg, 100)));
		smtpd_reply(s, 221, "2.7.0", "Error: this is a mail server. Goodbye.");
		s->quit = true;
		return;
	}
	if (!c->run) {
		s->counts.junk++;
		smtpd_refuse(s, cmd->verb == SMTP_UNKNOWN ? 500 : 502,
			cmd->verb == SMTP_UNKNOWN ? "5.5.2" : "5.5.1", "Error: command not recognized");
		return;
	}
	if ((c->flags & JUNK) && s->counts.junk++ >= (unsigned)p->smtpd_junk_command_limit)
		s->counts.errors++;
	if (out_of_step(s, c->flags) || smtpd_tls_unwelcome(s) || (!(c->flags & CLEAR) && smtpd_tls_first(s)))
		return;
	c->run(s, cmd);
	if (s->counts.errors == errors) {
		s->counts.ok[cmd->verb]++;
		s->counts.ok_cmds++;
	}
}

static void note_line(struct smtpd_session *s, struct sv line)
{
	if (s->proc->notify_classes)
		smtpd_history_in(&s->history, line);
}

/* One command line. False ends the session. */
static bool next_command(struct smtpd_session *s)
{
	size_t limit = (size_t)s->proc->core.line_length_limit;
	struct sv line;
	struct smtp_cmd cmd;

	if (stream_buffered(s->io).len == 0 && stream_flush(s->io) != 1) {
		s->hung_up = true;
		return false;
	}
	/* between transactions nothing is lost when the process is asked to go */
	server_conn_idle(s->conn, !s->txn.active);
	int rc = stream_line(s->io, limit, &line, NULL, smtpd_deadline(s));
	server_conn_idle(s->conn, false);
	if (rc == STREAM_TOO_LONG) {
		s->where = "UNKNOWN";
		note_line(s, SV("(a line that is too long)"));
		if (stream_discard_line(s->io, DISCARD_LINE_MAX, smtpd_deadline(s)) != 1) {
			smtpd_refuse(s, 421, "4.7.0", "%s Error: line too long",
				s->proc->core.myhostname);
			return false;
		}
		smtpd_refuse(s, 500, "5.5.2", "Error: line too long");
		return true;
	}
	if (rc == STREAM_TIMEOUT) {
		log_info("timeout after %s from %s", s->where, s->peer.namaddr);
		smtpd_reply(s, 421, "4.4.2", "%s Error: timeout exceeded", s->proc->core.myhostname);
		return false;
	}
	if (rc == STREAM_CANCELLED) {
		smtpd_reply(s, 421, "4.3.2", "%s Service is going down", s->proc->core.myhostname);
		return false;
	}
	if (rc != 1) {
		s->hung_up = true;
		if (s->tls && tls_failure(s->tls)[0])
			log_info("TLS error from %s: %s", s->peer.namaddr, tls_failure(s->tls));
		return false;
	}
	log_debug("< %s: %.*s", s->peer.namaddr, SV_ARG(line));
	note_line(s, line);
	switch (smtp_cmd_parse(line, &cmd)) {
	case 0:
		s->counts.junk++;
		smtpd_refuse(s, 500, "5.5.2", "Error: bad syntax");
		return true;
	case -1:
		s->where = "UNKNOWN";
		smtpd_refuse(s, 500, "5.5.2", "Error: bad syntax");
		return true;
	default: break;
	}
	dispatch(s, &cmd);
	return true;
}

/* "disconnect from name[addr] ehlo=1 mail=1 rcpt=0/1 commands=2/3" */
static void log_disconnect(struct smtpd_session *s)
{
	struct buf line;
	buf_init(&line, 1000);
	for (unsigned v = 0; v < SMTP_VERB_COUNT; v++) {
		if (s->counts.all[v] == 0)
			continue;
		const char *name = v == SMTP_UNKNOWN ? "unknown" : smtp_verb_name((enum smtp_verb)v);
		buf_putc(&line, ' ');
		for (; *name; name++)
			buf_putc(&line, ascii_lower(*name));
		buf_printf(&line, "=%u", s->counts.ok[v]);
		if (s->counts.ok[v] != s->counts.all[v])
			buf_printf(&line, "/%u", s->counts.all[v]);
	}
	buf_printf(&line, " commands=%u", s->counts.ok_cmds);
	if (s->counts.ok_cmds != s->counts.all_cmds)
		buf_printf(&line, "/%u", s->counts.all_cmds);
	log_info("disconnect from %s%s", s->peer.namaddr, buf_z(&line));
	buf_free(&line);
}

/* RFC 8314: TLS before the greeting. Without keys there is nothing to say that would not be in clear. */
static bool begin_wrapped(struct smtpd_session *s)
{
	if (s->proc->tls.ctx)
		return smtpd_tls_start(s);
	log_error("NOQUEUE: abort: %s: TLS cannot be used: the log at start says why", s->peer.namaddr);
	s->hung_up = true;
	return false;
}

static void talk(struct smtpd_session *s)
{
	const struct params_smtpd *p = &s->proc->smtpd;

	if (s->proc->tls.wrapper && !begin_wrapped(s))
		return;
	if (refuse_connection(s))
		return;
	smtpd_reply(s, 220, NULL, "%s", p->smtpd_banner);
	s->where = "CONNECT";
	while (!s->quit) {
		if (!next_command(s))
			break;
		if (s->quit)
			break;
		if (s->counts.errors >= (unsigned)p->smtpd_hard_error_limit) {
			log_info("too many errors after %s from %s", s->where, s->peer.namaddr);
			smtpd_error(s, NOTIFY_CLASS_PROTOCOL);
			smtpd_reply(s, 421, "4.7.0", "%s Error: too many errors",
				s->proc->core.myhostname);
			break;
		}
		if (s->txn_arena.exhausted || s->conn->arena->exhausted) {
			log_warn("%s: memory of this session is used up", s->peer.namaddr);
			smtpd_error(s, NOTIFY_CLASS_RESOURCE);
			smtpd_reply(s, 421, "4.3.0", "%s Error: session uses too much memory",
				s->proc->core.myhostname);
			break;
		}
		if (server_is_ending(s->conn->server) && !s->txn.active) {
			smtpd_reply(s, 421, "4.3.2", "%s Service is going down",
				s->proc->core.myhostname);
			break;
		}
	}
	if (s->hung_up)
		log_info("lost connection after %s from %s", s->where, s->peer.namaddr);
}

void smtpd_serve(struct server_conn *c)
{
	struct smtpd_session s = {
		.proc = c->state, .conn = c, .io = stream_new(c->fd), .helo = SV_NONE, .where = "CONNECT"
	};
	arena_init(&s.txn_arena, 4 << 20);
	s.cleanup = clnt_cleanup_new(s.proc->cleanup, s.proc->smtpd.smtpd_timeout * 1000);
	stream_write_timeout(s.io, s.proc->smtpd.smtpd_timeout * 1000);
	smtpd_peer_init(&s);
	log_info("connect from %s", s.peer.namaddr);
	talk(&s);
	if (!s.hung_up)
		(void)stream_flush(s.io);
	clnt_cleanup_free(s.cleanup);
	smtpd_limit_disconnect(&s);
	log_disconnect(&s);
	smtpd_notify(&s, 0);
	smtpd_history_free(&s.history);
	arena_free(&s.txn_arena);
	stream_free(s.io);
}
