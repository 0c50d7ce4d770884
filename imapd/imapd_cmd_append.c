/*
 * APPEND (RFC 3501 6.3.11; APPENDUID: RFC 4315): the message goes from the socket to the file in
 * pieces. "OK" is said when it would survive a power cut.
 */
#include <string.h>

#include "imapd/imapd.h"
#include "lib/fiber/fiber.h"
#include "lib/store/store_save.h"

/* A message that is refused but comes anyhow is read and forgotten up to this size. */
#define SWALLOW_MAX (64u << 20)

struct append_job {
	struct store_append *ap; /* NULL: octets are dropped */
	struct err e;
	const char *refused; /* what is wrong with the octets */
};

static bool body(struct imap_session *s, struct append_job *j, uint64_t size)
{
	struct sv got;

	while (size > 0) {
		if (stream_flush(s->io) != 1) {
			imapd_lost(s, STREAM_ERR);
			return false;
		}
		ssize_t n = stream_peek(s->io, &got, fiber_deadline(s->set->timeout_ms));

		if (n <= 0) {
			imapd_lost(s, n);
			return false;
		}
		if (got.len > size)
			got.len = (size_t)size;
		if (j->ap && sv_chr(got, '\0') >= 0)
			j->refused = "[CANNOT] A message cannot hold NUL octets.";
		else if (j->ap && store_append_write(j->ap, got, &j->e) < 0)
			j->refused = "";
		if (j->refused) {
			store_append_abort(j->ap);
			j->ap = NULL;
		}
		stream_consume(s->io, got.len);
		size -= got.len;
	}
	return true;
}

/* The rest of the command's last line: nothing but its end. */
static bool finish_line(struct imap_session *s)
{
	struct sv line;
	int rc = stream_line(
	        s->io, s->set->command_limit, &line, NULL, fiber_deadline(s->set->timeout_ms));

	if (rc == STREAM_TOO_LONG)
		imapd_bye(s, "Command too long.", "Command too long");
	else if (rc != 1)
		imapd_lost(s, rc);
	else if (!sv_empty(line))
		imapd_bad(s, "APPEND takes one message.");
	else
		return true;
	return false;
}

static void commit(struct imap_session *s, struct append_job *j, const struct imap_append *args)
{
	struct store_append_meta meta = {
		.flags = imapd_store_flags(args->flags.system),
		.keywords = args->flags.keywords,
		.nkeywords = args->flags.nkeywords,
		.internaldate = args->has_date ? args->date : 0,
	};
	uint32_t uidvalidity, uid;
	int rc = store_append_commit(j->ap, &meta, &uidvalidity, &uid, &j->e);

	if (rc < 0)
		imapd_failed(s, "APPEND", &j->e);
	else if (rc == 0)
		imapd_no(s, "[TRYCREATE] There is no such mailbox.");
	else
		imapd_ok(s, "[APPENDUID %u %u] Append completed.", (unsigned)uidvalidity,
		        (unsigned)uid);
}

/*
 * The message is not wanted. One that waits for "+" does not come at all; another one is on its way
 * and has to be read, or its lines would be taken for commands. False: the session is over.
 */
static bool swallow(struct imap_session *s, struct append_job *j)
{
	if (s->frame.sync)
		return true;
	if (s->frame.literal > SWALLOW_MAX) {
		imapd_bye(s, "[TOOBIG] Message too large.", "Message too large");
		return false;
	}
	return body(s, j, s->frame.literal) && finish_line(s);
}

/* May this message come? True: J->ap takes it. False: answered, everything that came was read. */
static bool begin(struct imap_session *s, struct append_job *j, const struct imap_append *args,
        struct sv name)
{
	int rc = 1;

	if (args->literal8 || (s->set->message_limit && args->size > s->set->message_limit)) {
		j->refused = args->literal8 ? "[CANNOT] Binary literals are not supported."
		                            : "[TOOBIG] Message too large.";
	} else {
		rc = store_append_begin(s->account, store_mailbox(name), &j->ap, &j->e);
		if (rc == 0)
			j->refused = "[TRYCREATE] There is no such mailbox.";
		else if (rc < 0)
			j->refused = "";
	}
	if (!j->refused)
		return true;
	const char *text = j->refused;

	if (!swallow(s, j))
		return false;
	if (text[0])
		imapd_no(s, "%s", text);
	else
		imapd_failed(s, "APPEND", &j->e);
	return false;
}

void imapd_cmd_append(struct imap_session *s)
{
	struct append_job j = { .ap = NULL, .e = ERR_INIT };
	struct imap_append args;
	struct sv name;

	arena_reset(&s->arena);
	imap_parser_init(&s->parse, buf_sv(&s->in), &s->arena, false);
	if (imap_cmd_parse(&s->parse, &s->cmd) != 1 || imap_append_args(&s->parse, &args) != 1) {
		if (swallow(s, &j))
			imapd_syntax(s);
		return;
	}
	if (imapd_spell(s, args.mailbox, &name) < 0)
		name = SV("."); /* not a name: store says so */
	if (!begin(s, &j, &args, name))
		return;
	if (s->frame.sync)
		stream_puts(s->io, "+ OK\r\n");
	if (!body(s, &j, args.size) || !finish_line(s)) {
		store_append_abort(j.ap);
		return;
	}
	if (!j.refused)
		commit(s, &j, &args);
	else if (j.refused[0])
		imapd_no(s, "%s", j.refused);
	else
		imapd_failed(s, "APPEND", &j.e);
}
