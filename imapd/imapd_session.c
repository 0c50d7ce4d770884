/*
 * One IMAP session after sign-in (RFC 3501 3).
 *
 *     AUTHENTICATED <--SELECT, EXAMINE / CLOSE, UNSELECT--> SELECTED
 *            '---------------- LOGOUT, BYE ----------------> end
 */
#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"

#define WRITE_MS (5 * 60 * 1000)
#define OUT_MAX  (1024 * 1024)

enum need { ANY, SELECTED };

static const struct {
	void (*run)(struct imap_session *s);
	enum need need;
	bool uid; /* has a UID form */
} commands[IMAP_VERB_COUNT] = {
	[IMAP_CAPABILITY] = { imapd_cmd_capability, ANY, false },
	[IMAP_NOOP] = { imapd_cmd_noop, ANY, false },
	[IMAP_LOGOUT] = { imapd_cmd_logout, ANY, false },
	[IMAP_SELECT] = { imapd_cmd_select, ANY, false },
	[IMAP_EXAMINE] = { imapd_cmd_select, ANY, false },
	[IMAP_CREATE] = { imapd_cmd_create, ANY, false },
	[IMAP_DELETE] = { imapd_cmd_delete, ANY, false },
	[IMAP_RENAME] = { imapd_cmd_rename, ANY, false },
	[IMAP_SUBSCRIBE] = { imapd_cmd_subscribe, ANY, false },
	[IMAP_UNSUBSCRIBE] = { imapd_cmd_subscribe, ANY, false },
	[IMAP_LIST] = { imapd_cmd_list, ANY, false },
	[IMAP_LSUB] = { imapd_cmd_list, ANY, false },
	[IMAP_NAMESPACE] = { imapd_cmd_namespace, ANY, false },
	[IMAP_STATUS] = { imapd_cmd_status, ANY, false },
	[IMAP_IDLE] = { imapd_cmd_idle, ANY, false },
	[IMAP_CHECK] = { imapd_cmd_check, SELECTED, false },
	[IMAP_CLOSE] = { imapd_cmd_close, SELECTED, false },
	[IMAP_UNSELECT] = { imapd_cmd_close, SELECTED, false },
	[IMAP_EXPUNGE] = { imapd_cmd_expunge, SELECTED, true },
	[IMAP_SEARCH] = { imapd_cmd_search, SELECTED, true },
	[IMAP_FETCH] = { imapd_cmd_fetch, SELECTED, true },
	[IMAP_STORE] = { imapd_cmd_store, SELECTED, true },
	[IMAP_COPY] = { imapd_cmd_copy, SELECTED, true },
	[IMAP_MOVE] = { imapd_cmd_copy, SELECTED, true },
};

static void command(struct imap_session *s)
{
	arena_reset(&s->arena);
	imap_parser_init(&s->parse, buf_sv(&s->in), &s->arena, false);
	int rc = imap_cmd_parse(&s->parse, &s->cmd);
	enum imap_verb verb = s->cmd.verb;

	if (rc != 1)
		imapd_syntax(s);
	else if (verb == IMAP_LOGIN || verb == IMAP_AUTHENTICATE || verb == IMAP_STARTTLS)
		imapd_bad(s, "You are signed in already.");
	else if (verb == IMAP_APPEND)
		imapd_bad(s, "APPEND needs the message as a literal.");
	else if (!commands[verb].run || (s->cmd.uid && !commands[verb].uid))
		imapd_bad(s, "Unknown command.");
	else if (commands[verb].need == SELECTED && !s->view.box)
		imapd_bad(s, "No mailbox is selected.");
	else
		commands[verb].run(s);
}

static void dialogue(struct imap_session *s)
{
	while (!s->done) {
		switch (imapd_read(s)) {
		case IMAP_INPUT_COMMAND: command(s); break;
		case IMAP_INPUT_APPEND: imapd_cmd_append(s); break;
		case IMAP_INPUT_AGAIN:
		case IMAP_INPUT_END: break;
		}
	}
}

static bool greet(struct imap_session *s, const struct clnt_auth_session *a)
{
	struct store_account_def def = {
		.owner = a->who.name,
		.home = a->who.home,
		.mail = a->who.mail,
		.uid = a->who.uid,
		.create = true, /* nothing delivered yet is an empty INBOX */
	};
	struct err e = ERR_INIT;

	if (store_account_open(s->store, &def, &s->account, &e) != 1) {
		log_error("imap(%s): mailbox not opened: %s", s->user, e.text);
		stream_printf(s->io, "%.*s NO [UNAVAILABLE] Your mailbox cannot be opened now.\r\n",
		        SV_ARG(a->tag));
		imapd_bye(s, "Try again later.", "Mailbox not opened");
		return false;
	}
	stream_printf(s->io, "%.*s OK [CAPABILITY " IMAPD_CAPABILITIES "] Logged in.\r\n",
	        SV_ARG(a->tag));
	return true;
}

static void fini(struct imap_session *s)
{
	imapd_view_close(s);
	store_account_close(s->account);
	store_events_free(&s->view.events);
	buf_free(&s->memory.name);
	buf_free(&s->in);
	buf_free(&s->out);
	arena_free(&s->arena);
	stream_free(s->io);
}

void imapd_serve(
        struct store *store, const struct imap_settings *set, const struct clnt_auth_session *a)
{
	struct imap_session s = { .set = set, .store = store, .why = "Connection closed" };
	char *user = mem_svdup(a->who.name);

	s.user = user;
	s.io = stream_new(a->fd);
	stream_write_timeout(s.io, WRITE_MS);
	buf_init(&s.in, set->command_limit + 64);
	buf_init(&s.out, OUT_MAX);
	buf_init(&s.memory.name, 65536);
	arena_init(&s.arena, set->memory_limit);
	store_events_init(&s.view.events);
	if (stream_unread(s.io, a->input) < 0)
		log_error("imap(%s): too much input was handed over", user);
	else if (greet(&s, a))
		dialogue(&s);
	stream_flush(s.io);
	log_info("imap(%s)<%.*s>: Disconnected: %s in=%llu out=%llu expunged=%llu fetched=%llu",
	        user, SV_ARG(a->session), s.why, (unsigned long long)stream_octets_in(s.io),
	        (unsigned long long)stream_octets_out(s.io), (unsigned long long)s.expunged,
	        (unsigned long long)s.fetched);
	fini(&s);
	free(user);
}
