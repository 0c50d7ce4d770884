/*
 * sendmail/sendmail_smtp.c - `sendmail -bs`: an SMTP dialogue on stdin and stdout for programs that want one.
 *
 * Each mail is submitted as if given to sendmail without -bs: by the submit socket, else by postdrop. So it
 * works while the system is down, and the user is known by uid, not by an address.
 *
 *   START --HELO|EHLO--> READY --MAIL--> SENDER --RCPT--> RCPTS --DATA--> READY
 * Standards: RFC 5321 4.1 (commands), RFC 1870, 3461, 6152, 6531 (what EHLO offers).
 */
#include "sendmail/sendmail.h"

#include "lib/sys/sys.h"
#include "lib/wire/smtp_args.h"
#include "lib/wire/smtp_cmd.h"
#include "lib/wire/smtp_data.h"

enum {
	LINE_MAX_OCTETS = 2048,
	ERRORS_MAX = 20,
	RCPTS_MAX = 10000,
};

struct session {
	const struct params_core *core;
	struct buf in;          /* read, not yet consumed */
	struct arena arena;     /* of the transaction */
	struct sm_mail mail;
	bool greeted, has_sender, eof;
	unsigned errors;
};

static void reply(const char *text)
{
	fputs(text, stdout);
	fputs("\r\n", stdout);
	fflush(stdout);
}

/* One reset function, on every way out of a transaction. */
static void reset(struct session *s)
{
	free(s->mail.rcpts.v);
	buf_free(&s->mail.content);
	arena_reset(&s->arena);
	s->mail = (struct sm_mail){ .sender = SV_NONE };
	buf_init(&s->mail.content, (size_t)1 << 31);
	s->has_sender = false;
}

static bool fill(struct session *s)
{
	char *room = buf_room(&s->in, 65536);
	ssize_t n = room ? sys_read(STDIN_FILENO, room, 65536) : -1;
	if (n <= 0) {
		s->eof = true;
		return false;
	}
	buf_added(&s->in, (size_t)n);
	return true;
}

/* The next line in LINE (a copy, without its end). 1, 0 at the end of input, -1 too long. */
static int next_line(struct session *s, struct buf *line)
{
	ptrdiff_t lf;
	buf_reset(line);
	while ((lf = sv_chr(buf_sv(&s->in), '\n')) < 0) {
		if (s->in.len > LINE_MAX_OCTETS)
			return -1;
		if (!fill(s))
			return 0;
	}
	size_t n = (size_t)lf;
	if (n > LINE_MAX_OCTETS)
		return -1;
	if (n > 0 && s->in.p[n - 1] == '\r')
		n--;
	(void)buf_put(line, s->in.p, n);
	buf_consume(&s->in, (size_t)lf + 1);
	return 1;
}

static void fault(struct session *s, const struct smtp_fault *f)
{
	char dsn[DSN_TEXT_MAX], text[256];
	snprintf(text, sizeof(text), "%d %s %s", f->code, dsn_format(f->dsn, dsn), f->text);
	s->errors++;
	reply(text);
}

static void bad(struct session *s, const char *text)
{
	s->errors++;
	reply(text);
}

static unsigned arg_flags(void)
{
	return SMTP_ARGS_SIZE | SMTP_ARGS_8BITMIME | SMTP_ARGS_SMTPUTF8 | SMTP_ARGS_DSN;
}

static void on_helo(struct session *s, struct sv arg, bool extended)
{
	struct smtp_fault f;
	struct sv name;
	if (smtp_helo_parse(arg, extended, &name, &f) != 1) {
		fault(s, &f);
		return;
	}
	reset(s);
	s->greeted = true;
	if (extended)
		printf("250-%s\r\n250-PIPELINING\r\n250-SIZE %ld\r\n250-ENHANCEDSTATUSCODES\r\n"
		       "250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n",
			s->core->myhostname, s->core->message_size_limit);
	else
		printf("250 %s\r\n", s->core->myhostname);
	fflush(stdout);
}

static void on_mail(struct session *s, struct sv arg)
{
	struct smtp_mail m;
	struct smtp_fault f;
	long limit = s->core->message_size_limit;
	if (!s->greeted) {
		bad(s, "503 5.5.1 Error: send HELO/EHLO first");
		return;
	}
	if (s->has_sender) {
		bad(s, "503 5.5.1 Error: nested MAIL command");
		return;
	}
	if (smtp_mail_parse(arg, arg_flags(), &s->arena, &m, &f) != 1) {
		fault(s, &f);
		return;
	}
	if (limit > 0 && m.size > (uint64_t)limit) {
		bad(s, "552 5.3.4 Message size exceeds fixed limit");
		return;
	}
	struct buf envid;
	buf_init(&envid, 1024);
	if (xtext_decode(&envid, m.envid, m.smtputf8) == 1)
		s->mail.envid = arena_sv(&s->arena, buf_sv(&envid));
	buf_free(&envid);
	s->mail.sender = m.sender;
	s->mail.ret = m.ret;
	s->mail.body_type = m.body == SMTP_BODY_8BITMIME ? SV("8BITMIME") :
		m.body == SMTP_BODY_7BIT		 ? SV("7BIT") :
							   SV_NONE;
	s->has_sender = true;
	reply("250 2.1.0 Ok");
}

static void on_rcpt(struct session *s, struct sv arg)
{
	struct smtp_rcpt r;
	struct smtp_fault f;
	if (!s->has_sender) {
		bad(s, "503 5.5.1 Error: need MAIL command");
		return;
	}
	if (smtp_rcpt_parse(arg, arg_flags() | SMTP_ARGS_UTF8_NOW, &s->arena, &r, &f) != 1) {
		fault(s, &f);
		return;
	}
	if (s->mail.rcpts.n >= RCPTS_MAX) {
		bad(s, "452 4.5.3 Error: too many recipients");
		return;
	}
	struct sm_rcpt rcpt = { .address = r.recipient, .notify = r.notify };
	struct buf orcpt;
	buf_init(&orcpt, DSN_ORCPT_MAX);
	if (r.orcpt.len > 0 && dsn_orcpt_decode(&orcpt, r.orcpt) == 1)
		rcpt.orcpt = arena_sv(&s->arena, buf_sv(&orcpt));
	buf_free(&orcpt);
	sm_list_add(&s->mail.rcpts, rcpt);
	reply("250 2.1.5 Ok");
}

/* The content, to its end. False: input ended before. */
static bool read_content(struct session *s, bool *too_big)
{
	struct smtp_data d;
	long limit = s->core->message_size_limit;
	int rc = 0;
	/* a pipe's other end may write bare LF: programs without a network do */
	smtp_data_init(&d, SMTP_BARE_NL_NO, true);
	while (rc == 0) {
		struct sv rest = buf_sv(&s->in);
		rc = smtp_data_feed(&d, &rest, &s->mail.content);
		buf_consume(&s->in, s->in.len - rest.len);
		if (limit > 0 && s->mail.content.len > (size_t)limit) {
			*too_big = true;
			buf_reset(&s->mail.content);
		}
		if (rc == 0 && !fill(s))
			return false;
	}
	return rc == 1;
}

static void on_data(struct session *s)
{
	struct err e = ERR_INIT;
	struct buf text;
	bool too_big = false;
	if (s->mail.rcpts.n == 0) {
		bad(s, s->has_sender ? "554 5.5.1 Error: no valid recipients" :
				       "503 5.5.1 Error: need RCPT command");
		return;
	}
	reply("354 End data with <CR><LF>.<CR><LF>");
	if (!read_content(s, &too_big))
		return;
	buf_init(&text, 4096);
	if (too_big) {
		buf_puts(&text, "552 5.3.4 Error: message file too big");
	} else {
		buf_puts(&text, "250 2.0.0 ");
		int rc = sm_submit(s->core, &s->mail, &text, &e);
		if (rc == 0 && text.len == 10)
			buf_puts(&text, "Ok: queued in maildrop");
		if (rc != 0) {
			bool later = rc != EX_DATAERR && rc != EX_UNAVAILABLE && rc != EX_NOPERM;
			buf_reset(&text);
			buf_printf(&text, "%s %s", later ? "451 4.3.0" : "554 5.0.0", e.text);
		}
	}
	reply(buf_z(&text));
	buf_free(&text);
	reset(s);
}

/* False: the dialogue is over. */
static bool on_command(struct session *s, struct sv line)
{
	struct smtp_cmd cmd;
	if (smtp_cmd_parse(line, &cmd) != 1) {
		bad(s, "500 5.5.2 Error: bad syntax");
		return true;
	}
	switch (cmd.verb) {
	case SMTP_HELO: on_helo(s, cmd.arg, false); break;
	case SMTP_EHLO: on_helo(s, cmd.arg, true); break;
	case SMTP_MAIL: on_mail(s, cmd.arg); break;
	case SMTP_RCPT: on_rcpt(s, cmd.arg); break;
	case SMTP_DATA: on_data(s); break;
	case SMTP_RSET:
		reset(s);
		reply("250 2.0.0 Ok");
		break;
	case SMTP_NOOP: reply("250 2.0.0 Ok"); break;
	case SMTP_VRFY: reply("252 2.0.0 The address is checked when mail is delivered"); break;
	case SMTP_HELP: reply("214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"); break;
	case SMTP_QUIT: reply("221 2.0.0 Bye"); return false;
	default: bad(s, "502 5.5.2 Error: command not recognized"); break;
	}
	return true;
}

int sm_smtp(const struct params_core *core)
{
	static struct session s;
	struct buf line;
	int rc = 1;
	s.core = core;
	arena_init(&s.arena, 64 * 1024 * 1024);
	buf_init(&s.in, 1024 * 1024);
	buf_init(&line, 2 * LINE_MAX_OCTETS);
	reset(&s);
	printf("220 %s ESMTP %s\r\n", core->myhostname, core->mail_name);
	fflush(stdout);
	while (rc == 1 && !s.eof && s.errors < ERRORS_MAX) {
		rc = next_line(&s, &line);
		if (rc == 1 && !on_command(&s, buf_sv(&line)))
			break;
	}
	if (rc < 0)
		reply("500 5.5.2 Error: line too long");
	else if (s.errors >= ERRORS_MAX)
		reply("421 4.7.0 Error: too many errors");
	reset(&s);
	buf_free(&line);
	buf_free(&s.in);
	arena_free(&s.arena);
	return EX_OK;
}
