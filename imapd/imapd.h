/*
 * imapd/imapd.h - private types of the IMAP server.
 *
 * Layer:     daemon.
 * Ownership: struct imap_session lives on its fiber's stack from sign-in to the end; what a command
 *            allocates comes from .arena, which is emptied before the next one.
 * Standards: RFC 3501; RFC 2177 (IDLE), 2342 (NAMESPACE), 3348 (CHILDREN), 3691 (UNSELECT),
 *            4315 (UIDPLUS), 6154 (SPECIAL-USE), 6851 (MOVE), 7888 (LITERAL+).
 *
 * A command is one function imapd_cmd_<name>() in a file of that name: it parses the rest of its
 * line, does its work, and sends exactly one tagged answer by imapd_ok() and friends.
 */
#ifndef IMAPD_IMAPD_H
#define IMAPD_IMAPD_H

#include "lib/clnt/clnt_auth.h"
#include "lib/fiber/stream.h"
#include "lib/store/store_box.h"
#include "lib/wire/imap_frame.h"
#include "lib/wire/imap_parse.h"
#include "lib/wire/imap_seqset.h"

#define IMAPD_CAPABILITIES \
	"IMAP4rev1 LITERAL+ IDLE NAMESPACE CHILDREN SPECIAL-USE UNSELECT UIDPLUS MOVE"

struct imap_settings {
	int64_t timeout_ms; /* silence */
	size_t command_limit;
	size_t memory_limit;    /* of a session's arena */
	uint64_t message_limit; /* APPEND; 0: none */
	unsigned max_errors;
};

/* The selected mailbox. */
struct imap_view {
	struct store_box *box; /* NULL: none */
	bool read_only;        /* EXAMINE, or the files are not ours to write */
	struct store_events events;
	uint32_t flags_told; /* checksum of the FLAGS line sent last */
};

/* What was found out about the section fetched last: attachments are fetched in many pieces. */
struct imap_section_memory {
	uint32_t uid;
	struct buf name;           /* "BODY[2.MIME]"; empty: nothing is remembered */
	uint64_t start, end;       /* in the file */
	uint64_t size;             /* with CRLF */
	uint64_t at_wire, at_file; /* where the last piece ended, in both counts */
};

struct imap_session {
	const struct imap_settings *set;
	struct store *store;
	struct store_account *account;
	struct stream *io;
	const char *user;
	/* the command at hand */
	struct buf in;
	struct imap_frame frame;
	struct arena arena;
	struct imap_parser parse;
	struct imap_cmd cmd;
	struct imap_view view;
	struct imap_section_memory memory;
	struct buf out; /* pieces of answers */
	unsigned errors; /* BADs since the last OK */
	bool asked; /* whether the client that sends no more still reads */
	bool done;
	const char *why; /* for the log */
	uint64_t expunged, fetched;
};

/* Serve one signed-in client; takes A->fd. */
void imapd_serve(
        struct store *store, const struct imap_settings *set, const struct clnt_auth_session *a);

/* --- imapd_input.c ------------------------------------------------------------------------------
 */
enum imap_input {
	IMAP_INPUT_COMMAND, /* s->in holds it */
	IMAP_INPUT_APPEND,  /* s->in holds all before the message, whose octets are next on the
	                       stream */
	IMAP_INPUT_AGAIN,   /* an answer was sent: read the next one */
	IMAP_INPUT_END,     /* the session is over */
};
enum imap_input imapd_read(struct imap_session *s);
/*
 * Does somebody still wait for the answer? Long commands ask between two lines of it. A client that
 * sends no more is sent an untagged OK once: one that closed its half only reads on, from the other
 * comes a reset. False: S is done.
 */
bool imapd_client_waits(struct imap_session *s, bool between_lines);
/* What a read that brought nothing means: says BYE where somebody may listen. */
void imapd_lost(struct imap_session *s, ssize_t rc);

/* --- imapd_reply.c ------------------------------------------------------------------------------
 */
/* Tagged answers. OK first sends what changed in the mailbox (see imapd_sync). */
void imapd_ok(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void imapd_no(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void imapd_bad(struct imap_session *s, const char *why);
/* NO for a failure of ours or of the request, by E's class; logged when it is ours. */
void imapd_failed(struct imap_session *s, const char *what, const struct err *e);
/* BAD with what the parser found wrong; BYE when it was the arena's ceiling. */
void imapd_syntax(struct imap_session *s);
void imapd_bye(struct imap_session *s, const char *text, const char *why);
/* The arena is full: BYE. */
void imapd_exhausted(struct imap_session *s);
/* Send what is in s->out and empty it. */
void imapd_send_out(struct imap_session *s);

/* --- imapd_view.c --------------------------------------------------------------------------------
 */
void imapd_view_close(struct imap_session *s);
/* Report changes. EXPUNGE only where RFC 3501 7.4.1 allows it. False: the session is over. */
bool imapd_sync(struct imap_session *s, bool may_expunge);
/* May EXPUNGE be sent before the answer to the command at hand? */
bool imapd_may_expunge(const struct imap_session *s);
/* "* FLAGS" and PERMANENTFLAGS, when keywords came into use since the last time (or FORCE). */
void imapd_put_flags_seen(struct imap_session *s, bool force);
/* Append "(\Seen ...)" of a message. */
void imapd_flag_list(struct imap_session *s, struct buf *out, const struct store_msg *m);
/* "* 3 FETCH (FLAGS (...))", with its UID when WITH_UID. */
void imapd_put_flags(struct imap_session *s, size_t index, bool with_uid);

struct imap_indexes {
	size_t *v; /* ascending, from the arena */
	size_t n;
};
/* The messages that SET (unresolved) names, by UID when s->cmd.uid. 1, or -1: answered. */
MUST_USE int imapd_indexes(
        struct imap_session *s, struct imap_seqset *set, struct imap_indexes *out);
/* The rights to change mail in the selected mailbox; false: answered. */
bool imapd_need_writable(struct imap_session *s);
/* Flags of the parser as the store has them. */
unsigned imapd_store_flags(unsigned imap_flags);

/* A name as the store spells it; .p is NULL when the arena is full. 1, or -1: not a name. */
MUST_USE int imapd_spell(struct imap_session *s, struct sv utf8, struct sv *name);
/* A mailbox name argument, as the store wants it. 1, or -1: answered. */
MUST_USE int imapd_mailbox_arg(struct imap_session *s, struct sv *name);
/* SP name end. */
MUST_USE int imapd_only_mailbox(struct imap_session *s, struct sv *name);

/* --- commands ------------------------------------------------------------------------------------
 */
void imapd_cmd_capability(struct imap_session *s);
void imapd_cmd_noop(struct imap_session *s);
void imapd_cmd_logout(struct imap_session *s);
void imapd_cmd_select(struct imap_session *s); /* EXAMINE too */
void imapd_cmd_create(struct imap_session *s);
void imapd_cmd_delete(struct imap_session *s);
void imapd_cmd_rename(struct imap_session *s);
void imapd_cmd_subscribe(struct imap_session *s); /* UNSUBSCRIBE too */
void imapd_cmd_list(struct imap_session *s);      /* LSUB too */
void imapd_cmd_namespace(struct imap_session *s);
void imapd_cmd_status(struct imap_session *s);
void imapd_cmd_append(struct imap_session *s);
void imapd_cmd_idle(struct imap_session *s);
void imapd_cmd_check(struct imap_session *s);
void imapd_cmd_close(struct imap_session *s); /* UNSELECT too */
void imapd_cmd_expunge(struct imap_session *s);
void imapd_cmd_search(struct imap_session *s);
void imapd_cmd_fetch(struct imap_session *s);
void imapd_cmd_store(struct imap_session *s);
void imapd_cmd_copy(struct imap_session *s); /* MOVE too */

#endif
